"""Reservations, and the usage events that settle them, between the contract and the model; nothing here decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from candela.entitlement.v1 import entitlement_pb2, reservation_pb2
from candela.entitlement.v1 import reservation_service_pb2 as pb
from candela.metering.v1 import event_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import decimal, idempotency_key, positive_decimal, typed_id
from candela_server.metering.rules.event_value import parse_properties

from . import wire
from .commit_reservation import CommitReservation
from .consume import Consume
from .model import Answer, Snapshot
from .reservation import OverageBehavior, Reservation, ReservationId, ReservationStatus
from .reserve import Reserve
from .rules.reservation import with_quantity

_ONE = Decimal(1)

DEFAULT_HOLD = timedelta(minutes=15)
SHORTEST_HOLD = timedelta(seconds=1)
LONGEST_HOLD = timedelta(hours=24)
_NANOS_IN_MICROSECOND = 1000

_STATUSES = {
    ReservationStatus.HELD: reservation_pb2.RESERVATION_STATUS_HELD,
    ReservationStatus.COMMITTING: reservation_pb2.RESERVATION_STATUS_COMMITTED,
    ReservationStatus.COMMITTED: reservation_pb2.RESERVATION_STATUS_COMMITTED,
    ReservationStatus.RELEASED: reservation_pb2.RESERVATION_STATUS_RELEASED,
    ReservationStatus.EXPIRED: reservation_pb2.RESERVATION_STATUS_EXPIRED,
}
_OVERAGES = {
    reservation_pb2.OVERAGE_BEHAVIOR_UNSPECIFIED: OverageBehavior.REJECT,
    reservation_pb2.OVERAGE_BEHAVIOR_REJECT: OverageBehavior.REJECT,
    reservation_pb2.OVERAGE_BEHAVIOR_CAP: OverageBehavior.CAP,
    reservation_pb2.OVERAGE_BEHAVIOR_ALLOW: OverageBehavior.ALLOW,
}
_not_negative = decimal(least=Decimal(0))


def reserve_from_proto(request: pb.ReserveRequest) -> Reserve:
    """What to hold. Raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return Reserve(
            who=fields.read("", wire.who_from_proto, request),
            feature=fields.read("feature", _present, request.feature),
            quantity=fields.read("quantity", positive_decimal, request.quantity),
            hold=fields.read("hold", _hold, request.hold)
            if request.HasField("hold")
            else DEFAULT_HOLD,
        )


def commit_from_proto(request: pb.CommitRequest) -> CommitReservation:
    """What was really used. Raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return CommitReservation(
            reservation_id=fields.read(
                "reservation_id", reservation_id_from_proto, request.reservation_id
            ),
            quantity=fields.read("quantity", _not_negative, request.quantity)
            if request.HasField("quantity")
            else None,
            overage=fields.read("overage_behavior", _overage, request.overage_behavior),
            properties_json=fields.read("properties_json", _properties, request.properties_json),
        )


def consume_from_proto(request: pb.ConsumeRequest) -> Consume:
    """What to take. Raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return Consume(
            who=fields.read("", wire.who_from_proto, request),
            feature=fields.read("feature", _present, request.feature),
            quantity=fields.read("quantity", positive_decimal, request.quantity)
            if request.HasField("quantity")
            else Decimal(1),
            key=fields.read("idempotency_key", idempotency_key, request.idempotency_key),
            properties_json=fields.read("properties_json", _properties, request.properties_json),
        )


def reservation_id_from_proto(text: str) -> ReservationId:
    """A reservation's id. Raises ValueError naming the expected prefix."""
    return ReservationId(typed_id("rsv")(text))


def reservation_to_proto(
    reservation: Reservation, status: ReservationStatus
) -> reservation_pb2.Reservation:
    """The reservation as it stands at the instant whose status is given."""
    settled_at: datetime | None = reservation.settled_at
    if status is ReservationStatus.EXPIRED:
        settled_at = reservation.expires_at
    committed = reservation.committed_quantity
    return reservation_pb2.Reservation(
        id=reservation.id,
        customer_id=reservation.customer_id,
        user_id=reservation.user_id or "",
        feature=reservation.feature,
        quantity=format_decimal(reservation.quantity),
        status=_STATUSES[status],
        created_at=timestamp_to_proto(reservation.created_at),
        expires_at=optional_timestamp_to_proto(reservation.expires_at),
        settled_at=optional_timestamp_to_proto(settled_at),
        committed_quantity=None if committed is None else format_decimal(committed),
    )


def usage_to_proto(answer: Answer | None, snapshot: Snapshot) -> entitlement_pb2.Usage | None:
    """Where the customer stands, as a check shows it; None for what is not metered."""
    if answer is None or answer.usage is None:
        return None
    return wire.entitlement_to_proto(answer, snapshot).usage


def usage_events_to_proto(decided: Reservation) -> list[event_pb2.Event]:
    """The usage events of a decided reservation: the same ones whenever they are made.

    One of the whole quantity; for a metric that counts events, as many as were used.
    """
    assert decided.committed_quantity is not None, "made of what was decided only"
    assert decided.settled_at is not None, "made of what was decided only"
    if not decided.counts_events:
        return [_event(decided, decided.event_key, decided.committed_quantity)]
    return [
        _event(decided, f"{decided.id}#{number}" if number else decided.event_key, _ONE)
        for number in range(int(decided.committed_quantity))
    ]


def _event(decided: Reservation, key: str, quantity: Decimal) -> event_pb2.Event:
    value, properties = quantity, decided.properties_json
    if decided.measured_property is not None:
        # Another metric that sums the event's value sees one event, as it does of those that the application sends.
        value = _ONE
        properties = with_quantity(
            properties, property=decided.measured_property, quantity=quantity
        )
    return event_pb2.Event(
        idempotency_key=key,
        name=decided.event_name,
        customer_id=decided.customer_id,
        user_id=decided.user_id,
        value=format_decimal(value),
        timestamp=optional_timestamp_to_proto(decided.settled_at),
        properties_json=properties,
    )


def _hold(hold: Duration) -> timedelta:
    span = timedelta(seconds=hold.seconds, microseconds=hold.nanos // _NANOS_IN_MICROSECOND)
    if not SHORTEST_HOLD <= span <= LONGEST_HOLD:
        raise ValueError(f"must be 1 second to 24 hours, not {span.total_seconds():.0f} seconds")
    return span


def _overage(value: reservation_pb2.OverageBehavior) -> OverageBehavior:
    found = _OVERAGES.get(value)
    if found is None:
        raise ValueError(f"{value} is no overage behavior; use REJECT, CAP or ALLOW")
    return found


def _properties(encoded: bytes) -> bytes:
    if encoded:
        parse_properties(encoded)
    return encoded


def _present(text: str) -> str:
    if not text:
        raise ValueError("must name a feature by its slug")
    return text
