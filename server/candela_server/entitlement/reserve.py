"""Holds part of an allowance for a job whose real use is known only later (ENT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from candela_server.customer.model import (
    CustomerByExternalId,
    CustomerById,
    CustomerNotFoundError,
    UserNotFoundError,
)
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import new_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import reservation_store
from .build_snapshot import Who
from .model import Answer, Snapshot
from .reservation import LimitReachedError, Reservation, ReservationId, ReservationStatus
from .rules.allowance import decide
from .rules.reservation import check_quantity, counts_events
from .take_stock import state_of, take_stock

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """What to hold, for whom, and how long at most."""

    who: Who
    feature: str
    quantity: Decimal
    hold: timedelta


async def reserve(
    tx: Tx, events: EventStore, clock: Clock, snapshot: Snapshot, command: Reserve
) -> tuple[Reservation, Answer]:
    """Holds the quantity, and answers where the customer stands afterwards.

    Raises LimitReachedError, FeatureNotFoundError, NotReservableError, CustomerNotFoundError and UserNotFoundError.
    """
    if snapshot.customer_id is None:
        if isinstance(command.who, CustomerById | CustomerByExternalId):
            raise CustomerNotFoundError(command.who)
        raise UserNotFoundError(command.who)
    state = state_of(snapshot, command.feature)
    if state.metered is None:
        raise LimitReachedError(decide(state, used=None, quantity=_ZERO), command.quantity)
    with FieldViolations() as fields:
        whole = counts_events(state.metered.metric)
        fields.read("quantity", check_quantity, command.quantity, whole=whole)
    stock, present = await take_stock(tx, events, clock, snapshot, state.metered)
    asked = decide(state, used=stock.used, quantity=command.quantity, reserved=stock.held)
    if asked.denial is not None:
        raise LimitReachedError(asked, command.quantity)
    reservation_id = ReservationId(new_id("rsv"))
    made = Reservation(
        id=reservation_id,
        customer_id=snapshot.customer_id,
        user_id=snapshot.user_id,
        feature=state.slug,
        metric_id=state.metered.metric.id,
        event_name=state.metered.metric.event_names[0],
        event_key=reservation_id,
        quantity=command.quantity,
        counts_events=whole,
        measured_property=state.metered.metric.property,
        status=ReservationStatus.HELD,
        created_at=present.customers,
        expires_at=present.customers + command.hold,
    )
    await reservation_store.insert_reservation(tx, made)
    await tx.audit(
        "reservation.held",
        made.id,
        after={
            "customer_id": made.customer_id,
            "user_id": made.user_id,
            "feature": made.feature,
            "quantity": made.quantity,
            "expires_at": made.expires_at,
        },
    )
    await tx.entitlements_changed(made.customer_id)
    after = stock.holding(command.quantity)
    return made, decide(state, used=after.used, quantity=_ZERO, reserved=after.held)
