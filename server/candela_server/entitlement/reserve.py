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
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import new_id

from .decision import Decided
from .model import Snapshot
from .reservation import LimitReachedError, Reservation, ReservationId, ReservationStatus
from .rules.allowance import decide
from .rules.reservation import check_quantity, counts_events
from .snapshot_facts import Who
from .standing import Standing
from .take_stock import state_of

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """What to hold, for whom, and how long at most."""

    who: Who
    feature: str
    quantity: Decimal
    hold: timedelta


def reserve(standing: Standing, snapshot: Snapshot, command: Reserve) -> Decided:
    """Holds the quantity.

    Raises LimitReachedError, FeatureNotFoundError, NotReservableError, CustomerNotFoundError, UserNotFoundError and
    SnapshotOutdatedError.
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
    present, stock = standing.present_for(snapshot), standing.stock()
    asked = decide(
        state, used=stock.used, quantity=command.quantity, reserved=stock.held, past=stock.past
    )
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
    after = stock.holding(command.quantity)
    return Decided(
        before=None,
        after=made,
        answer=decide(state, used=after.used, quantity=_ZERO, reserved=after.held, past=after.past),
        action="reservation.held",
        audit_before=None,
        audit_after={
            "customer_id": made.customer_id,
            "user_id": made.user_id,
            "feature": made.feature,
            "quantity": made.quantity,
            "expires_at": made.expires_at,
        },
        shown=True,
    )
