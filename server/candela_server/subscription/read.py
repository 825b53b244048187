"""What others may ask about subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.price import ComponentKind
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import (
    drawn_store,
    due_store,
    move_store,
    override_store,
    renewal_store,
    schedule_store,
    scheduled_store,
    store,
    version_store,
)
from .drawn_usage import DrawnPart
from .feature_override import FeatureOverride
from .model import Subscription, SubscriptionId, SubscriptionNotFoundError
from .rules.history import held_at
from .waiting_usage import WaitingUsage


async def get_subscription(
    tx: Tx, subscription_id: SubscriptionId, *, as_of: datetime | None = None
) -> Subscription:
    """The subscription in force, or as it was at an instant. Raises SubscriptionNotFoundError."""
    found = await store.find_subscription(tx, subscription_id, as_of)
    if found is None:
        raise SubscriptionNotFoundError(subscription_id)
    return found


async def get_subscriptions(
    tx: Tx, ids: Sequence[SubscriptionId]
) -> dict[SubscriptionId, Subscription]:
    """The subscriptions with these ids, in force; unknown ids are left out."""
    return {found.id: found for found in await store.list_subscriptions_by_id(tx, ids)}


async def list_of_customer(tx: Tx, customer_id: CustomerId) -> list[Subscription]:
    """All of a customer's subscriptions in force, ended ones too, oldest first."""
    return await store.list_subscriptions_of_customers(tx, [customer_id])


async def list_of_customers(tx: Tx, ids: Sequence[CustomerId]) -> list[Subscription]:
    """All subscriptions of these customers in force, ended ones too, oldest first."""
    return await store.list_subscriptions_of_customers(tx, ids)


async def list_ended(
    tx: Tx, *, since: datetime, test_clock_id: TestClockId | None
) -> list[Subscription]:
    """The subscriptions that ended after an instant and have not begun again, in real time or on one test clock."""
    return await version_store.list_ended(tx, since=since, test_clock_id=test_clock_id)


async def next_due_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When something next falls due on a test clock; None when nothing ever does."""
    found = [
        await due_store.next_due_at(tx, test_clock_id),
        await move_store.next_move_at(tx, test_clock_id),
        await scheduled_store.next_due_at(tx, test_clock_id),
        await renewal_store.next_renewal_at(tx, test_clock_id),
    ]
    return min((one for one in found if one is not None), default=None)


async def list_merchants_with_due(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom something is due in real time; in a system transaction."""
    periods = await due_store.list_merchants_with_due(tx, until)
    moves = await move_store.list_merchants_with_due_moves(tx, until)
    changes = await scheduled_store.list_merchants_with_due_changes(tx, until)
    renewals = await renewal_store.list_merchants_with_due(tx, until)
    return sorted({*periods, *moves, *changes, *renewals})


async def list_merchants_with_past_due(tx: Tx) -> list[str]:
    """The merchants who have subscriptions that are past due; in a system transaction."""
    return await version_store.list_merchants_with_past_due(tx)


async def list_histories(
    tx: Tx, held: Collection[Subscription]
) -> dict[SubscriptionId, list[Subscription]]:
    """All versions of each of these subscriptions, oldest first."""
    found = {one.id: [one] for one in held}
    changed = [one.id for one in held if one.version.number > 1]
    if changed:
        found |= await version_store.list_histories(tx, changed)
    return found


async def list_overrides(
    tx: Tx, subscription_ids: Sequence[SubscriptionId]
) -> list[FeatureOverride]:
    """The overrides that were not removed, expired ones too, by subscription and feature slug."""
    return await override_store.list_overrides(tx, subscription_ids)


async def list_pauses(
    tx: Tx, held: Collection[Subscription]
) -> dict[SubscriptionId, list[Interval]]:
    """The pauses of each of these subscriptions that are over, oldest first: no invoice bills what is used in them."""
    found: dict[SubscriptionId, list[Interval]] = {one.id: [] for one in held}
    # What is paused and goes on has three versions at least.
    if resumed := [one.id for one in held if one.version.number > 2]:
        for one_id, pause in await version_store.list_pauses(tx, resumed):
            found[one_id].append(pause)
    return found


async def list_drawn_parts(
    tx: Tx, held: Collection[Subscription]
) -> dict[SubscriptionId, list[DrawnPart]]:
    """The parts of periods of each of these subscriptions whose unpriced usage was drawn within the period, oldest
    first; only what has changed once has any."""
    found: dict[SubscriptionId, list[DrawnPart]] = {one.id: [] for one in held}
    if changed := [one.id for one in held if one.version.number > 1]:
        for part in await drawn_store.list_parts(tx, changed):
            found[part.subscription_id].append(part)
    return found


async def list_waiting_usage(
    tx: Tx, customer_ids: Collection[CustomerId]
) -> dict[CustomerId, list[WaitingUsage]]:
    """What each of these customers used under terms that ended, and that is not billed yet, oldest first: of all their
    subscriptions, also of those that have ended since."""
    found: dict[CustomerId, list[WaitingUsage]] = {one: [] for one in customer_ids}
    rows = await schedule_store.list_waiting(tx, list(customer_ids))
    if not rows:
        return found
    ids = sorted({row.subscription_id for row in rows})
    histories = await version_store.list_histories(tx, ids)
    terms = [row.last_terms for row in rows]
    keys = {(one.plan_version_id, one.price_id) for one in terms if one is not None}
    offers = await catalog.get_offers(tx, sorted(keys))
    for row, one in zip(rows, terms, strict=True):
        assert one is not None, "selected by it"
        offer = offers[one.plan_version_id, one.price_id]
        component = offer.price.component(row.component_id)
        if component.kind is ComponentKind.USAGE:
            then = held_at(histories[row.subscription_id], row.period.start_at)
            found[then.customer_id].append(
                WaitingUsage(held=then, offer=offer, component=component, part=row.period)
            )
    return found
