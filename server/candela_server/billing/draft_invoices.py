"""Makes drafts of due periods, without storing them: one per subscription.

The one way from what is due to an invoice, for the pipeline, for previews and for reissues, so that none of them can
show or charge what another would not (INV-5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.read import OfferKey
from candela_server.credit.draw_credits import LateDraw
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import Merchant, TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import (
    LastTerms,
    ScheduledPeriod,
    Subscription,
    SubscriptionId,
)

from .bill_changed_periods import with_changed_periods
from .bill_late_usage import WithLateUsage, look_at_late_usage
from .bill_periods import rate_invoices
from .billing_context import Context
from .draw_money import Charges, Outlook, with_monetary_credits
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus
from .rate_after_adjustments import rated_after_adjustments
from .rules.counted_on import given_back
from .rules.tax import NO_TAX, tax_for
from .rules.tax_amount import taxed
from .settle_commitments import Making, with_commitments_that_bear
from .take_off_ahead import without_billed_ahead
from .wanted_invoice import PeriodToBill, WantedInvoice


@dataclass(frozen=True, slots=True)
class Drafts:
    """New drafts, one of each subscription; and what their adjustments draw, to be posted by who stores them."""

    by_subscription: Mapping[SubscriptionId, Invoice]
    late_draws: Sequence[LateDraw]

    @property
    def billing_something(self) -> list[Invoice]:
        """Those that are to be stored: an invoice without lines is none."""
        return [draft for draft in self.by_subscription.values() if draft.lines]


async def draft_invoices(
    tx: Tx,
    events: EventStore,
    context: Context,
    seller: Merchant,
    due: Sequence[ScheduledPeriod],
    *,
    now: datetime,
    seen_at: datetime,
    test_clock_id: TestClockId | None,
    outlook: Outlook | None = None,
) -> Drafts:
    """The drafts of these periods, made at `now` with the usage that was taken in until `seen_at`."""
    return await draft_wanted(
        tx,
        events,
        context,
        seller,
        await wanted_of_due(tx, context, due),
        now=now,
        seen_at=seen_at,
        test_clock_id=test_clock_id,
        outlook=outlook,
    )


async def draft_wanted(
    tx: Tx,
    events: EventStore,
    context: Context,
    seller: Merchant,
    wanted: Sequence[WantedInvoice],
    *,
    now: datetime,
    seen_at: datetime,
    test_clock_id: TestClockId | None,
    outlook: Outlook | None = None,
) -> Drafts:
    """As draft_invoices, of periods that need not be scheduled; one invoice of each subscription.

    What is wanted of a subscription at different prices goes on its one invoice; so does what changes within periods
    come to, even when nothing else is wanted.
    """
    made = await rate_invoices(tx, events, context, wanted, seen_at=seen_at)
    lines: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    for one, some in zip(wanted, made, strict=True):
        lines[one.subscription_id] += some
    replaced = {one.subscription_id: one.id for one in wanted}
    late_usage = await rated_after_adjustments(
        tx,
        events,
        context,
        wanted,
        made,
        await look_at_late_usage(
            tx,
            events,
            context,
            await with_changed_periods(tx, context, lines, now=seen_at),
            seen_at=seen_at,
            on_test_clock=test_clock_id is not None,
        ),
        seen_at=seen_at,
    )
    ids = list(late_usage.lines)
    made_so_far: list[WithLateUsage] = []

    def make(counted: Sequence[Decimal]) -> list[Making]:
        late = late_usage.borne(dict(zip(ids, counted, strict=True)))
        made_so_far.append(late)
        return [
            Making(subscription_id=one_id, id=replaced.get(one_id), lines=late.lines[one_id])
            for one_id in ids
        ]

    most = [given_back(late_usage.lines[one_id]) for one_id in ids]
    settled = await with_commitments_that_bear(tx, context, make, most, now=now)
    left = await without_billed_ahead(tx, context, dict(zip(ids, settled, strict=True)))
    charged = [Charges(context.subscriptions[one_id], some) for one_id, some in left.items()]
    drawn = await with_monetary_credits(tx, charged, made_at=now, outlook=outlook)
    return Drafts(
        {
            one.held.id: draft_of(context, one.held, lines, seller, now, test_clock_id)
            for one, lines in zip(charged, drawn, strict=True)
        },
        made_so_far[-1].draws,
    )


async def wanted_of_due(
    tx: Tx, context: Context, due: Sequence[ScheduledPeriod]
) -> list[WantedInvoice]:
    """What is due of each subscription, by what it holds and, apart, by each price that it held before.

    Parts of one period, of a price that was left and joined again, are wanted together.
    """
    periods: defaultdict[tuple[SubscriptionId, OfferKey | None], list[PeriodToBill]]
    periods = defaultdict(list)
    for one in due:
        last = one.last_terms
        key = (last.plan_version_id, last.price_id) if last else None
        if last is not None and _goes_on(context, one, last):
            key = None
        periods[one.subscription_id, key].append(
            PeriodToBill(
                subscription_id=one.subscription_id,
                component_id=one.component_id,
                number=one.period_number,
                period=one.period,
                held=last.held if last else None,
            )
        )
    offers = await catalog.get_offers(tx, [key for _, key in periods if key is not None])
    return [
        WantedInvoice(
            subscription_id=one_id, periods=some, offer=None if key is None else offers[key]
        )
        for (one_id, key), some in sorted(
            periods.items(), key=lambda item: (item[0][0], str(item[0][1]))
        )
    ]


def _goes_on(context: Context, one: ScheduledPeriod, last: LastTerms) -> bool:
    """Whether what was left is held again, in periods that are counted as they were."""
    now = context.subscriptions[one.subscription_id]
    then = context.held_at(one.subscription_id, one.period.start_at)
    return last.price_id == now.version.price_id and then.anchor_at == now.anchor_at


def draft_of(
    context: Context,
    held: Subscription,
    lines: Sequence[InvoiceLine],
    seller: Merchant,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> Invoice:
    """A draft of these lines, taxed as the buyer is now."""
    buyer = context.customers[held.customer_id]
    draft = Invoice(
        id=InvoiceId(new_id("inv")),
        number=None,
        customer_id=held.customer_id,
        subscription_id=held.id,
        test_clock_id=test_clock_id,
        status=InvoiceStatus.DRAFT,
        currency=held.currency,
        time_zone=held.time_zone,
        lines=tuple(lines),
        tax=tax_for(buyer, context.tax_settings),
        tax_amount=NO_TAX,
        amount_due=NO_TAX,
        created_at=now,
        finalizes_at=now + seller.settings.invoice_grace,
        finalized_at=None,
        due_at=None,
        ended_at=None,
        seller=None,
        buyer=None,
    )
    return taxed(draft, buyer, context.tax_settings)
