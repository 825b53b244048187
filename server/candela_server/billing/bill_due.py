"""Bills what is due of subscriptions that are locked: their drafts, their renewed credits, and what is due next.

For the regular run, a chunk at a time, and for a change that is billed at once (INV-1, SUB-6).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from candela_server.catalog.model import Offer
from candela_server.credit.draw_credits import draw_late
from candela_server.credit.grant_credits import grant_for_periods
from candela_server.credit.lapse_grants import lapse_grants
from candela_server.credit.model import CreditGrant
from candela_server.kernel.interval import Interval
from candela_server.merchant import read as merchant
from candela_server.merchant.model import Merchant, TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.claim_due import move_on, park
from candela_server.subscription.model import ScheduledPeriod, SubscriptionId
from candela_server.subscription.rules.schedule import scheduled_period

from . import lapse_store, store
from .billing_context import Context, read_context
from .draft_invoices import Drafts, draft_invoices, draft_wanted
from .draw_unpriced import draw_unpriced
from .finalize_invoices import finalized
from .model import Invoice, LineKind
from .renew_credits import renewals
from .rules.free_usage import costs_nothing
from .wanted_invoice import WantedInvoice

log = structlog.get_logger("candela.billing")


@dataclass(frozen=True, slots=True)
class Billed:
    """What a run did; `failures` are those that were passed by, each with its reason."""

    subscriptions: int
    invoices: int
    parked: int
    moved: int = 0
    changed: int = 0
    made: Sequence[Invoice] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


async def bill(
    tx: Tx,
    events: EventStore,
    due: Sequence[ScheduledPeriod],
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> Billed:
    """Bills these periods, which are all that is due first of their subscriptions; these must be locked."""
    ids = sorted({one.subscription_id for one in due})
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, ids, until=now)
    parked = await park_runaways(tx, seller, context, now)
    due = [one for one in due if one.subscription_id not in parked]
    # First, because money that is granted for a period pays for what is charged in advance for it.
    await grant_for_periods(tx, renewals(context, due), at=now)
    drafts = await draft_invoices(
        tx, events, context, seller, due, now=now, seen_at=now, test_clock_id=test_clock_id
    )
    made = await _store(tx, seller, context, drafts, now)
    left = await draw_unpriced(tx, events, context, due, now=now)
    over = _over_without_invoice(left, due, drafts.billing_something)
    # What an invoice can draw from expires as that is finalized: one made before may wait for it, or have been made
    # anew; and where only the part of the period before a change had a price, this run's own does (SUB-6).
    drawn_later = await lapse_store.list_drawn_by_drafts(tx, [one.id for one in over])
    await lapse_grants(tx, [one for one in over if one.id not in drawn_later], at=now)
    await move_on(tx, due, [_following(context, one) for one in due if one.last_terms is None])
    return Billed(len(ids), len(made), len(parked), made=made)


async def bill_rest(
    tx: Tx,
    events: EventStore,
    ids: Sequence[SubscriptionId],
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> list[Invoice]:
    """Bills what subscriptions owe though nothing is due: differences of cut and of closed periods. They are locked."""
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, ids, until=now)
    parked = await park_runaways(tx, seller, context, now)
    drafts = await draft_wanted(
        tx,
        events,
        context,
        seller,
        [WantedInvoice(subscription_id=one, periods=[]) for one in ids if one not in parked],
        now=now,
        seen_at=now,
        test_clock_id=test_clock_id,
    )
    return await _store(tx, seller, context, drafts, now)


async def _store(
    tx: Tx, seller: Merchant, context: Context, made: Drafts, now: datetime
) -> list[Invoice]:
    """Keeps the drafts that bill something; those that no late usage can change are finalized at once."""
    await draw_late(tx, made.late_draws, at=now)
    drafts = made.billing_something
    ready = [draft for draft in drafts if not _waits(context, draft)]
    numbered = iter(await finalized(tx, seller, context, ready, now))
    invoices = [draft if _waits(context, draft) else next(numbered) for draft in drafts]
    await store.insert_invoices(tx, invoices)
    await tx.audit_many(
        "invoice.created",
        [
            (
                one.id,
                None,
                {"status": one.status, "total": one.total, "subscription_id": one.subscription_id},
            )
            for one in invoices
        ],
    )
    await tx.entitlements_changed_of(one.customer_id for one in context.subscriptions.values())
    return invoices


def _waits(context: Context, draft: Invoice) -> bool:
    """Whether late events can still change it, or what it takes from credits."""
    if draft.total:
        return draft.has_usage
    components = {one.id: one for one in context.offers[draft.of_subscription].price.components}
    paying = {grant.metric_id for grant in context.grants.get(draft.customer_id, ())}
    return any(
        line.component_id is None
        or line.component_id not in components
        or not costs_nothing(components[line.component_id])
        or line.metric_id in paying
        for line in draft.lines
        if line.kind is LineKind.USAGE
    )


async def park_runaways(
    tx: Tx, seller: Merchant, context: Context, now: datetime
) -> set[SubscriptionId]:
    """Parks the subscriptions of customers who got an absurd number of invoices today: a safety bound.

    Returns them with those that are parked already: nothing is invoiced of either until a person has looked.
    """
    already = await read_schedule.parked_since(tx, sorted(context.subscriptions))
    counts = await store.count_invoices_since(tx, sorted(context.customers), _start_of_day(now))
    bound = seller.settings.max_invoices_per_customer_per_day
    parked = {
        one.id
        for one in context.subscriptions.values()
        if counts.get(one.customer_id, 0) >= bound and one.id not in already
    }
    if parked:
        log.error("billing_parked", merchant_id=tx.merchant_id, subscriptions=sorted(parked))
        await park(tx, sorted(parked), now)
        await tx.audit_many(
            "subscription.parked", [(one_id, None, {"bound": bound}) for one_id in sorted(parked)]
        )
    return parked | already.keys()


def _start_of_day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _over_without_invoice(
    context: Context,
    due: Sequence[ScheduledPeriod],
    drafts: Sequence[Invoice],
) -> list[CreditGrant]:
    """The grants that are over as these periods fall due and that no invoice ever draws from: their usage is limited,
    but has no price, or none in this period because a time rule says so (DSL-4).

    Whether the version in force still renews them does not matter: a subscriber may have moved from the one that
    granted them (CAT-9).
    """
    reached: dict[SubscriptionId, datetime] = {}
    for one in due:
        reached[one.subscription_id] = max(one.due_at, reached.get(one.subscription_id, one.due_at))
    billed = {(one.subscription_id, line.component_id) for one in drafts for line in one.lines}
    unpriced: defaultdict[SubscriptionId, list[tuple[Interval, str | None]]] = defaultdict(list)
    for one in due:
        if one.last_terms is not None:
            continue
        component = context.offers[one.subscription_id].price.component(one.component_id)
        if (one.subscription_id, component.id) not in billed:
            unpriced[one.subscription_id].append((one.period, component.metric_id))
    return [
        grant
        for subscription_id, at in sorted(reached.items())
        for grant in context.grants.get(context.subscriptions[subscription_id].customer_id, ())
        if grant.subscription_id == subscription_id
        and grant.definition_id is not None
        and grant.metric_id is not None
        and grant.expires_at is not None
        and grant.expires_at <= at
        and (
            context.offers[subscription_id].component_for_metric(grant.metric_id) is None
            or any(
                grant.expires_at == period.end_at and grant.metric_id == metric_id
                for period, metric_id in unpriced.get(subscription_id, ())
            )
        )
    ]


def _following(context: Context, one: ScheduledPeriod) -> ScheduledPeriod:
    held = context.subscriptions[one.subscription_id]
    offer: Offer = context.offers[one.subscription_id]
    return scheduled_period(
        offer.price.component(one.component_id),
        one.period_number + 1,
        subscription_id=held.id,
        anchor_at=held.anchor_at,
        time_zone=held.time_zone,
        test_clock_id=one.test_clock_id,
    )
