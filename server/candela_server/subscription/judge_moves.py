"""Reads, as sets, what the decisions about many moves depend on, and lets the pure rule decide each (CAT-9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.clock import Clock
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import move_store, store
from .migration import MigrationId, MigrationTerms
from .model import Subscription, SubscriptionId
from .rules.move import Decision, Move, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose move is to be decided, by which migration's terms; a preview's has no id yet."""

    subscription_id: SubscriptionId
    migration_id: MigrationId | None
    terms: MigrationTerms
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The subscription as it stands, and what becomes of it."""

    asked: Asked
    held: Subscription
    decision: Decision


async def judge_moves(tx: Tx, clock: Clock, asked: Sequence[Asked]) -> list[Judged]:
    """What becomes of each at its customer's present, in the same order; changes nothing."""
    ids = [one.subscription_id for one in asked]
    held = {one.id: one for one in await store.list_subscriptions_by_id(tx, ids)}
    keys = {
        one.subscription_id: (
            one.terms.to_version_id,
            held[one.subscription_id].version.price_id,
        )
        for one in asked
    }
    offers = await catalog.get_offers(tx, list(keys.values()))
    presents = await _presents(tx, clock, {one.customer_id for one in held.values()})
    scheduled = {
        one.subscription_id: one.migration_id for one in await move_store.list_scheduled(tx, ids)
    }
    judged = []
    for one in asked:
        subscription = held[one.subscription_id]
        scheduled_by = scheduled.get(subscription.id)
        move = Move(
            held=subscription,
            offer=offers[keys[subscription.id]],
            terms=one.terms,
            now=presents[subscription.customer_id],
            due_at=one.due_at,
            waits_for=None if scheduled_by == one.migration_id else scheduled_by,
        )
        judged.append(Judged(asked=one, held=subscription, decision=decide(move)))
    return judged


async def _presents(tx: Tx, clock: Clock, ids: Iterable[CustomerId]) -> dict[CustomerId, datetime]:
    """What time it is for each customer; every test clock is read once."""
    holders: list[Customer] = list((await customer.get_customers(tx, sorted(ids))).values())
    by_clock: dict[TestClockId | None, datetime] = {}
    for holder in holders:
        if holder.test_clock_id not in by_clock:
            own_clock = await customer.customer_clock(tx, clock, holder)
            by_clock[holder.test_clock_id] = own_clock.now()
    return {holder.id: by_clock[holder.test_clock_id] for holder in holders}
