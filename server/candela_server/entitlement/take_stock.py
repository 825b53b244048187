"""Reads, alone and exactly, what stands against an allowance: the first half of every decision about one (ENT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId, UserId
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Conflict
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate_beside_keys
from candela_server.metering.rules.aggregation import reach
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import reservation_store
from .model import FeatureState, Metered, Snapshot
from .reservation import NotReservableError, ReservationId, Stock
from .rules.reservation import adds_up, stock_of


class SnapshotOutdatedError(Conflict):
    """The period ended between reading what the customer may do and deciding by it."""

    def __init__(self) -> None:
        super().__init__(
            "the customer's period is ending now; try again", retry_after=timedelta(seconds=1)
        )


@dataclass(frozen=True, slots=True)
class Present:
    """The instant of a decision on the customer's clock, and on the server's."""

    customers: datetime
    servers: datetime


async def present_of(tx: Tx, clock: Clock, customer_id: CustomerId) -> Present:
    """What time it is for this customer, whose test clock may have moved since the snapshot was made (OPS-2)."""
    holder = await customer.get_customer(tx, CustomerById(customer_id))
    own_clock = await customer.customer_clock(tx, clock, holder)
    return Present(own_clock.now(), clock.now())


async def take_stock(
    tx: Tx,
    events: EventStore,
    clock: Clock,
    snapshot: Snapshot,
    metered: Metered,
    *,
    key: str | None = None,
    without: ReservationId | None = None,
) -> tuple[Stock, Present]:
    """What is used and held of an allowance, which nobody else decides about until the transaction ends.

    Also tells whether the event `key` is durable, and leaves out the reservation that is being settled. Open
    reservations are read before usage: an event that becomes durable in between is then known to be in the usage, and
    never missed by both. Raises SnapshotOutdatedError when the snapshot's time is over by the time the wait is.
    """
    assert snapshot.customer_id is not None, "nobody has no allowance"
    user_id = counted_user(snapshot, metered)
    await reservation_store.lock_allowance(tx, snapshot.customer_id, metered.metric.id, user_id)
    if snapshot.frozen_now is None:
        present = Present(clock.now(), clock.now())
    else:
        present = await present_of(tx, clock, snapshot.customer_id)
    if snapshot.valid_until is not None and present.customers >= snapshot.valid_until:
        raise SnapshotOutdatedError
    open_ones = await reservation_store.list_open(
        tx, snapshot.customer_id, metered.metric.id, user_id, present.customers
    )
    keys = {one.event_key for one in open_ones if one.settled_at is not None}
    if key is not None:
        keys.add(key)
    measured, recorded = await aggregate_beside_keys(
        events,
        tx.merchant_id,
        UsageAsk(
            metric=metered.metric,
            who=UsageOf(customer_id=snapshot.customer_id, user_id=user_id),
            window=metered.window,
        ),
        keys,
        now=present.servers,
    )
    others = [one for one in open_ones if one.id != without]
    # What was decided in an earlier period stands against a present state as well.
    span = reach(metered.metric, metered.window)
    return stock_of(others, recorded, measured, span), present


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
