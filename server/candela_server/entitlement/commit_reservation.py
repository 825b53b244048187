"""Settles a reservation with the real use (ENT-9). What is decided here is then recorded by settle_reservation.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import reservation_store
from .model import Answer, FeatureState, Metered, Snapshot
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
from .take_stock import Present, present_of, take_stock

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReservation:
    """The real use; None for all that was reserved."""

    reservation_id: ReservationId
    quantity: Decimal | None
    overage: OverageBehavior
    properties_json: bytes


async def commit_reservation(
    tx: Tx, events: EventStore, clock: Clock, snapshot: Snapshot, command: CommitReservation
) -> tuple[Reservation, Answer | None]:
    """Decides how much of the use is recorded and gives back the rest, for ever.

    Answers the reservation, whose event must now be recorded unless the use is 0, and where the customer stands with
    it counted; None when the feature is not metered for the customer any more. Raises ReservationNotFoundError,
    ReservationSettledError, CommitOverLimitError.
    """
    # The allowance is locked before the row, in the order in which every decision locks them.
    known = await reservation_store.get_reservation(tx, command.reservation_id)
    state, metered = _terms(snapshot, known)
    if metered is None:
        await reservation_store.lock_allowance(tx, known.customer_id, known.metric_id, None)
        stock, present = None, await present_of(tx, clock, known.customer_id)
    else:
        stock, present = await take_stock(tx, events, clock, snapshot, metered, without=known.id)
    before = await reservation_store.get_reservation(tx, known.id, lock=True)
    status = status_at(before, present.customers)
    if status is not ReservationStatus.HELD:
        raise ReservationSettledError(before.id, status)
    amount = _amount(before, state, metered, stock, command)
    after = _committed(before, amount, present, command.properties_json)
    await reservation_store.update_reservation(tx, after)
    await tx.audit(
        "reservation.committed",
        after.id,
        before={"status": before.status, "quantity": before.quantity},
        after={"status": ReservationStatus.COMMITTED, "committed_quantity": amount},
    )
    # While the event is on its way, checks go on showing what was held: less remains, never more.
    if after.status is ReservationStatus.COMMITTED:
        await tx.entitlements_changed(after.customer_id)
    if state is None or stock is None:
        return after, None
    stock = stock.using(amount)
    return after, decide(state, used=stock.used, quantity=_ZERO, reserved=stock.held)


def _terms(snapshot: Snapshot, known: Reservation) -> tuple[FeatureState | None, Metered | None]:
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
