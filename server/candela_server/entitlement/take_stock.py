"""Reads, alone and exactly, what stands against an allowance: the first half of every decision about one (ENT-9)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.credit.rules.waterfall import UsedSpan
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId, UserId
from candela_server.kernel.clock import Clock
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate_beside_keys
from candela_server.metering.rules.aggregation import reach
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import reservation_store
from .decision import Allowance, Decision
from .model import FeatureState, Metered, Snapshot
from .reservation import NotReservableError
from .rules.reservation import adds_up
from .standing import Measured, Present, Standing


async def present_of(tx: Tx, clock: Clock, customer_id: CustomerId) -> Present:
    """What time it is for this customer, whose test clock may have moved since the snapshot was made (OPS-2)."""
    holder = await customer.get_customer(tx, CustomerById(customer_id))
    own_clock = await customer.customer_clock(tx, clock, holder)
    return Present(own_clock.now(), clock.now())


async def lock_allowance(tx: Tx, allowance: Allowance, decisions: Sequence[Decision]) -> None:
    """Waits until nobody else decides about the allowance, until the transaction ends.

    Before rows are locked, in the order in which every decision locks them. Whoever only makes room waits for nobody.
    """
    if allowance.customer_id is None or allowance.metric_id is None or _make_room(decisions):
        return
    await reservation_store.lock_allowance(
        tx, allowance.customer_id, allowance.metric_id, allowance.user_id
    )


async def take_stock(
    tx: Tx, events: EventStore, clock: Clock, allowance: Allowance, decisions: Sequence[Decision]
) -> Standing:
    """What is used and held of a locked allowance.

    Open reservations are read before usage: an event that becomes durable in between is then known to be in the usage,
    and never missed by both.
    """
    customer_id = allowance.customer_id
    if customer_id is None or all(one.snapshot.frozen_now is None for one in decisions):
        present = Present(clock.now(), clock.now())
    else:
        present = await present_of(tx, clock, customer_id)
    settling = [one.reservation_id for one in decisions if one.reservation_id is not None]
    metric = next((one.metric for one in decisions if one.metric is not None), None)
    if customer_id is None or metric is None or allowance.window is None or _make_room(decisions):
        return Standing(present, settling=await reservation_store.lock_reservations(tx, settling))
    open_ones = await reservation_store.list_open(
        tx, customer_id, metric.id, allowance.user_id, present.customers
    )
    keys = {one.event_key for one in open_ones if one.settled_at is not None}
    keys |= {one.event_key for one in decisions if one.event_key is not None}
    who = UsageOf(customer_id=customer_id, user_id=allowance.user_id)
    (usage, *past), recorded = await aggregate_beside_keys(
        events,
        tx.merchant_id,
        [
            UsageAsk(metric=metric, who=who, window=one)
            for one in (allowance.window, *allowance.past)
        ],
        keys,
        now=present.servers,
    )
    return Standing(
        present,
        open_ones=open_ones,
        # What was decided in an earlier period stands against a present state as well.
        measured=Measured(
            usage=usage,
            recorded=recorded,
            window=reach(metric, allowance.window),
            past=[UsedSpan(*one) for one in zip(allowance.past, past, strict=True)],
        ),
        settling=await reservation_store.lock_reservations(tx, settling),
    )


def counted_user(snapshot: Snapshot, metered: Metered) -> UserId | None:
    """Whose use is counted: one user's where each has a limit of its own, else the whole customer's (ENT-7)."""
    return snapshot.user_id if metered.per_user else None


def state_of(snapshot: Snapshot, slug: str) -> FeatureState:
    """The feature's state. Raises FeatureNotFoundError, NotReservableError."""
    state = snapshot.features.get(slug)
    if state is None:
        raise FeatureNotFoundError(slug)
    metered = state.metered
    if metered is None and state.denial is None:
        raise NotReservableError(slug, "not metered for this customer")
    if metered is not None and not adds_up(metered.metric):
        raise NotReservableError(slug, f"measured as {metered.metric.aggregation}")
    return state


def _make_room(decisions: Sequence[Decision]) -> bool:
    return all(one.only_makes_room for one in decisions)
