"""Shows what a subscription's next invoice would be with the usage so far (INV-5).

Made by the code that makes invoices, of the periods that the pipeline will find due first once what is planned until
then is done. The caller must roll back: a planned change is made to see what comes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.credit.grant_credits import grants_of
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription import read_schedule
from candela_server.subscription.model import SubscriptionId

from . import store
from .account import plan_draws
from .bill_periods import rate_invoices
from .billing_context import Context, read_context
from .carry_out_planned import carry_out_planned
from .draft_invoices import draft_invoices
from .draw_money import Outlook
from .model import Invoice, InvoiceStatus, LineKind
from .renew_credits import renewals
from .rules.rate_invoice import draws_of
from .wanted_drafts import wanted_of

_MAX_DRAFTS = 1000
"""A customer's drafts that are looked at for the credits they will draw; a grace holds a handful."""


async def preview_next_invoice(
    tx: Tx, events: EventStore, clock: Clock, subscription_id: SubscriptionId
) -> Invoice | None:
    """The draft that the next run over this subscription would make; None when nothing is to be billed any more, or
    nothing for the periods that are due first.

    Dated when it falls due. Changes that are planned until then count. What the customer's drafts will draw of its
    credits is gone here already. Raises SubscriptionNotFoundError.
    """
    held = await subscription.get_subscription(tx, subscription_id)
    holder = await customer.get_customer(tx, CustomerById(held.customer_id))
    test_clock_id = holder.test_clock_id
    now = (await customer.customer_clock(tx, clock, holder)).now()
    billed = await carry_out_planned(tx, events, subscription_id, now=now)
    if billed is not None:
        return as_draft(billed)
    due = await read_schedule.list_next_due(tx, subscription_id)
    if not due:
        return None
    made_at = max(now, due[0].due_at)
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, [subscription_id], until=made_at)
    spoken_for = await _drawn_by_drafts(tx, events, held.customer_id, now)
    made = await draft_invoices(
        tx,
        events,
        replace(context, grants=_without(context, spoken_for)),
        seller,
        due,
        now=made_at,
        seen_at=now,
        test_clock_id=test_clock_id,
        outlook=Outlook(
            spoken_for=spoken_for, coming=grants_of(renewals(context, due), at=made_at)
        ),
    )
    if not made.billing_something:
        return None
    [draft] = made.billing_something
    planned = await plan_draws(tx, [draft], made_at, lock=False)
    paid = sum((one.amount for one in planned.get(draft.id, ())), Decimal(0))
    return replace(draft, amount_due=draft.total - paid)


def as_draft(made: Invoice) -> Invoice:
    """An invoice as it would be before it is final: a number is nobody's until then."""
    return replace(
        made,
        number=None,
        status=InvoiceStatus.DRAFT,
        finalizes_at=made.finalizes_at or made.finalized_at,
        finalized_at=None,
        ended_at=None,
    )


async def _drawn_by_drafts(
    tx: Tx, events: EventStore, customer_id: CustomerId, now: datetime
) -> dict[GrantId, Decimal]:
    """What the customer's drafts would draw if they were finalized now, by grant; their adjustments drew already."""
    drafts = await store.page_invoices(
        tx,
        customer_id=customer_id,
        subscription_id=None,
        statuses=[InvoiceStatus.DRAFT],
        limit=_MAX_DRAFTS,
        after=None,
    )
    drawn: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    if not drafts:
        return drawn
    context = await read_context(tx, sorted({one.of_subscription for one in drafts}), until=now)
    wanted = [one for some in await wanted_of(tx, context, drafts) for one in some]
    for grant_id, amount in draws_of(
        line for one in drafts for line in one.lines if line.kind is LineKind.MONETARY_CREDIT
    ):
        drawn[grant_id] += amount
    for made in await rate_invoices(tx, events, context, wanted, seen_at=now):
        for grant_id, amount in draws_of(made):
            drawn[grant_id] += amount
    return drawn


def _without(
    context: Context, drawn: dict[GrantId, Decimal]
) -> dict[CustomerId, Sequence[CreditGrant]]:
    return {
        customer_id: [
            replace(grant, balance=grant.balance - drawn.get(grant.id, Decimal(0)))
            for grant in grants
        ]
        for customer_id, grants in context.grants.items()
    }
