"""Makes drafts of due periods, without storing them: one per subscription.

The one way from what is due to an invoice, for the pipeline, for previews and for reissues, so that none of them can
show or charge what another would not (INV-5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.merchant.model import Merchant, TestClockId
from candela_server.storage.events import EventStore
from candela_server.subscription.model import ScheduledPeriod, Subscription, SubscriptionId

from .bill_periods import Context, PeriodToBill, lines_for
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus
from .rules.tax import NO_TAX, tax_for


async def draft_invoices(
    events: EventStore,
    context: Context,
    seller: Merchant,
    due: Sequence[ScheduledPeriod],
    *,
    now: datetime,
    seen_at: datetime,
    test_clock_id: TestClockId | None,
) -> list[Invoice]:
    """The drafts of these periods, made at `now` with the usage that was taken in until `seen_at`."""
    return await draft_periods(
        events,
        context,
        seller,
        [
            PeriodToBill(
                subscription_id=one.subscription_id,
                component_id=one.component_id,
                number=one.period_number,
                period=one.period,
            )
            for one in due
        ],
        now=now,
        seen_at=seen_at,
        test_clock_id=test_clock_id,
    )


async def draft_periods(
    events: EventStore,
    context: Context,
    seller: Merchant,
    periods: Sequence[PeriodToBill],
    *,
    now: datetime,
    seen_at: datetime,
    test_clock_id: TestClockId | None,
) -> list[Invoice]:
    """As draft_invoices, of periods that need not be scheduled."""
    lines = await lines_for(events, seller.id, context, periods, seen_at=seen_at)
    by_subscription: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    for one, made in lines.items():
        by_subscription[one.subscription_id] += made
    return [
        _draft(context, context.subscriptions[one_id], found, seller, now, test_clock_id)
        for one_id, found in by_subscription.items()
    ]


def _draft(
    context: Context,
    held: Subscription,
    lines: Sequence[InvoiceLine],
    seller: Merchant,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> Invoice:
    tax = tax_for(context.customers[held.customer_id])
    return Invoice(
        id=InvoiceId(new_id("inv")),
        number=None,
        customer_id=held.customer_id,
        subscription_id=held.id,
        test_clock_id=test_clock_id,
        status=InvoiceStatus.DRAFT,
        currency=held.currency,
        time_zone=held.time_zone,
        lines=tuple(lines),
        tax_percent=tax.percent,
        tax_amount=NO_TAX,
        tax_reason=tax.reason,
        amount_due=sum((line.amount for line in lines), NO_TAX),
        created_at=now,
        finalizes_at=now + seller.settings.invoice_grace,
        finalized_at=None,
        due_at=None,
        ended_at=None,
        seller=None,
        buyer=None,
    )
