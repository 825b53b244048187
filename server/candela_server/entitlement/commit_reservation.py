"""Settles a reservation with the real use (ENT-9). What is decided here is then recorded by settle_reservation.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.kernel.errors import FieldViolations

from .decision import Decided
from .model import FeatureState, Metered, Snapshot
from .reservation import (
    CommitOverLimitError,
    OverageBehavior,
    Reservation,
    ReservationId,
    ReservationSettledError,
    ReservationStatus,
    Stock,
)
from .rules.allowance import decide
from .rules.reservation import (
    check_measured,
    check_properties,
    check_quantity,
    quantity_to_commit,
    room_of,
    status_at,
)
from .standing import Present, Standing

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReservation:
    """The real use; None for all that was reserved."""

    reservation_id: ReservationId
    quantity: Decimal | None
    overage: OverageBehavior
    properties_json: bytes


def commit_reservation(
    standing: Standing, snapshot: Snapshot, command: CommitReservation
) -> Decided:
    """Decides how much of the use is recorded and gives back the rest, for ever.

    The reservation's event must then be recorded, unless the use is 0. The answer is None when the feature is not
    metered for the customer any more. Raises ReservationNotFoundError, ReservationSettledError, CommitOverLimitError
    and SnapshotOutdatedError.
    """
    before = standing.settling(command.reservation_id)
    state, metered = terms_of(snapshot, before)
    present, stock = standing.present, None
    if metered is not None:
        present, stock = standing.present_for(snapshot), standing.stock(without=before)
    status = status_at(before, present.customers)
    if status is not ReservationStatus.HELD:
        raise ReservationSettledError(before.id, status)
    amount = _amount(before, state, metered, stock, command)
    after = _committed(before, amount, present, command.properties_json)
    answer = None
    if state is not None and stock is not None:
        stock = stock.using(amount)
        answer = decide(
            state, used=stock.used, quantity=_ZERO, reserved=stock.held, past=stock.past
        )
    return Decided(
        before=before,
        after=after,
        answer=answer,
        action="reservation.committed",
        audit_before={"status": before.status, "quantity": before.quantity},
        audit_after={"status": ReservationStatus.COMMITTED, "committed_quantity": amount},
        # While the event is on its way, checks go on showing what was held: less remains, never more.
        shown=after.status is ReservationStatus.COMMITTED,
    )


def terms_of(snapshot: Snapshot, known: Reservation) -> tuple[FeatureState | None, Metered | None]:
    """What bounds the use now; nothing of it when the feature is counted by another metric than was reserved."""
    state = snapshot.features.get(known.feature)
    metered = state.metered if state is not None else None
    if metered is None or metered.metric.id != known.metric_id:
        return None, None
    return state, metered


def _amount(
    before: Reservation,
    state: FeatureState | None,
    metered: Metered | None,
    stock: Stock | None,
    command: CommitReservation,
) -> Decimal:
    """How much is recorded. Raises InvalidInput, CommitOverLimitError."""
    actual = before.quantity if command.quantity is None else command.quantity
    with FieldViolations() as fields:
        fields.read("quantity", check_quantity, actual, whole=before.counts_events)
        fields.read(
            "properties_json", check_measured, before.measured_property, command.properties_json
        )
    room = _ZERO if stock is None else room_of(state, metered, stock)
    amount = quantity_to_commit(
        reserved=before.quantity,
        actual=actual,
        room=room,
        overage=command.overage,
        whole=before.counts_events,
    )
    if amount is None:
        raise CommitOverLimitError(before, actual, room or _ZERO)
    if metered is not None and amount:
        with FieldViolations() as fields:
            fields.read(
                "properties_json",
                check_properties,
                metered.metric,
                command.properties_json,
                quantity=amount,
            )
    return amount


def _committed(
    before: Reservation, amount: Decimal, present: Present, properties_json: bytes
) -> Reservation:
    return replace(
        before,
        status=ReservationStatus.COMMITTING if amount else ReservationStatus.COMMITTED,
        settled_at=present.customers,
        committed_quantity=amount,
        properties_json=properties_json,
        decided_at=present.servers,
    )
