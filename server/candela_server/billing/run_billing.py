"""Turns due periods into invoices, a chunk of subscriptions at a time, each chunk in one transaction (INV-1).

Everything is read as sets, rated in memory by the pure rules, and written as sets. What makes it exactly-once: the
subscriptions are locked while their schedule is read and moved on in the same transaction, and behind that stands the
unique constraint on (subscription, component, period, kind) (INV-2). A run that is killed leaves whole chunks done and
the rest due; running it again finds nothing of what is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.claim_due import claim_due, move_on, park
from candela_server.subscription.model import ScheduledPeriod, SubscriptionId
from candela_server.subscription.move_subscribers import move_due
from candela_server.subscription.rules.schedule import scheduled_period

from . import store
from .bill_periods import Context, read_context
from .draft_invoices import draft_invoices
from .draw_unpriced import draw_unpriced
from .finalize_invoices import finalized
from .model import Invoice
from .renew_credits import renewals

log = structlog.get_logger("candela.billing")

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Billed:
    """What a run did."""

    subscriptions: int
    invoices: int
    parked: int
    moved: int = 0


async def run_billing(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
    chunk: int = CHUNK,
) -> Billed:
    """Bills everything of a merchant that is due at `now`, in real time or on one test clock.

    Subscribers who move to another version by then are moved first, each after what was due before its move: what
    renews at an instant renews as the version says that holds from that instant (CAT-9).
    """
    subscriptions = invoices = parked = moved = 0
    while True:
        moved_now = await move_due(db, merchant_id, now=now, test_clock_id=test_clock_id)
        moved += moved_now
        async with db.writing(merchant_id) as tx:
            done = await _bill_chunk(tx, events, now=now, test_clock_id=test_clock_id, limit=chunk)
        if not done.subscriptions and not moved_now:
            return Billed(subscriptions, invoices, parked, moved)
        subscriptions += done.subscriptions
        invoices += done.invoices
        parked += done.parked


async def _bill_chunk(
    tx: Tx, events: EventStore, *, now: datetime, test_clock_id: TestClockId | None, limit: int
) -> Billed:
    due = await claim_due(tx, until=now, test_clock_id=test_clock_id, limit=limit)
    if not due:
        return Billed(0, 0, 0)
    ids = sorted({one.subscription_id for one in due})
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, ids, until=now)
    parked = await _park_runaways(tx, seller, context, now)
    due = [one for one in due if one.subscription_id not in parked]
    # First, because money that is granted for a period pays for what is charged in advance for it.
    await grant_for_periods(tx, renewals(context, due), at=now)
    made = await draft_invoices(
        tx, events, context, seller, due, now=now, seen_at=now, test_clock_id=test_clock_id
    )
    await draw_late(tx, made.late_draws, at=now)
    drafts = made.billing_something
    ready = [draft for draft in drafts if not draft.has_usage]
    numbered = iter(await finalized(tx, seller, context, ready, now))
    invoices = [draft if draft.has_usage else next(numbered) for draft in drafts]
    await store.insert_invoices(tx, invoices)
    left = await draw_unpriced(tx, events, context, due, now=now)
    await lapse_grants(tx, _over_without_invoice(left, due, drafts), at=now)
    await move_on(tx, [_following(context, one) for one in due])
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
    await tx.entitlements_changed_of(context.subscriptions[one_id].customer_id for one_id in ids)
    return Billed(len(ids), len(invoices), len(parked))


async def _park_runaways(
    tx: Tx, seller: Merchant, context: Context, now: datetime
) -> set[SubscriptionId]:
    """Parks the subscriptions of customers who got an absurd number of invoices today: a safety bound."""
    counts = await store.count_invoices_since(tx, sorted(context.customers), _start_of_day(now))
    bound = seller.settings.max_invoices_per_customer_per_day
    parked = {
        one.id for one in context.subscriptions.values() if counts.get(one.customer_id, 0) >= bound
    }
    if parked:
        log.error("billing_parked", merchant_id=tx.merchant_id, subscriptions=sorted(parked))
        await park(tx, sorted(parked), now)
        await tx.audit_many(
            "subscription.parked", [(one_id, None, {"bound": bound}) for one_id in sorted(parked)]
        )
    return parked


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
    granted them (CAT-9). What an invoice can draw from expires as that invoice is finalized.
    """
    reached: dict[SubscriptionId, datetime] = {}
    for one in due:
        reached[one.subscription_id] = max(one.due_at, reached.get(one.subscription_id, one.due_at))
    billed = {(one.subscription_id, line.component_id) for one in drafts for line in one.lines}
    unpriced: defaultdict[SubscriptionId, list[tuple[Interval, str | None]]] = defaultdict(list)
    for one in due:
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
