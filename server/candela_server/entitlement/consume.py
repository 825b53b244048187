"""Takes part of an allowance at once: checks and records, or refuses and records nothing (ENT-9).

What is taken here is recorded by settle_reservation.py, as a commit is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import new_id

from .decision import Decided
from .model import Answer, Snapshot
from .reservation import EventKeyTakenError, Reservation, ReservationId, ReservationStatus
from .rules.allowance import decide
from .rules.reservation import check_properties, check_quantity, counts_events
from .snapshot_facts import Who
from .standing import Standing
from .take_stock import state_of

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consume:
    """What to take, for whom, and under which key the use is recorded."""

    who: Who
    feature: str
    quantity: Decimal
    key: str
    properties_json: bytes


class ConsumeRefusedError(Exception):
    """Nothing was taken. An answer, not a failure: raised so that the transaction leaves nothing behind."""

    def __init__(self, answer: Answer, snapshot: Snapshot) -> None:
        super().__init__(answer.denial)
        self.answer = answer
        self.snapshot = snapshot


def consume(standing: Standing, snapshot: Snapshot, command: Consume) -> Decided:
    """Takes the quantity; its event must then be recorded.

    Raises ConsumeRefusedError, FeatureNotFoundError, NotReservableError, EventKeyTakenError and SnapshotOutdatedError.
    """
    state = state_of(snapshot, command.feature)
    if snapshot.customer_id is None or state.metered is None:
        answer = decide(state, used=None, quantity=command.quantity)
        raise ConsumeRefusedError(answer, snapshot)
    metric = state.metered.metric
    with FieldViolations() as fields:
        fields.read("quantity", check_quantity, command.quantity, whole=counts_events(metric))
        fields.read(
            "properties_json",
            check_properties,
            metric,
            command.properties_json,
            quantity=command.quantity,
        )
    present, stock = standing.present_for(snapshot), standing.stock()
    if command.key in stock.recorded:
        raise EventKeyTakenError(command.key)
    asked = decide(
        state, used=stock.used, quantity=command.quantity, reserved=stock.held, past=stock.past
    )
    if asked.denial is not None:
        raise ConsumeRefusedError(asked, snapshot)
    taken = Reservation(
        id=ReservationId(new_id("rsv")),
        customer_id=snapshot.customer_id,
        user_id=snapshot.user_id,
        feature=state.slug,
        metric_id=metric.id,
        event_name=metric.event_names[0],
        event_key=command.key,
        quantity=command.quantity,
        counts_events=counts_events(metric),
        measured_property=metric.property,
        status=ReservationStatus.COMMITTING,
        created_at=present.customers,
        expires_at=None,
        settled_at=present.customers,
        committed_quantity=command.quantity,
        properties_json=command.properties_json,
        decided_at=present.servers,
    )
    after = stock.using(command.quantity)
    return Decided(
        before=None,
        after=taken,
        answer=decide(state, used=after.used, quantity=_ZERO, reserved=after.held, past=after.past),
        action="allowance.consumed",
        audit_before=None,
        audit_after={
            "customer_id": taken.customer_id,
            "user_id": taken.user_id,
            "feature": taken.feature,
            "quantity": taken.quantity,
            "event_key": taken.event_key,
        },
        # Checks learn of it from its event alone.
        shown=False,
    )
