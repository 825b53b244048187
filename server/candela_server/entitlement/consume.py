"""Takes part of an allowance at once: checks and records, or refuses and records nothing (ENT-9).

What is taken here is recorded by settle_reservation.py, as a commit is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import new_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import reservation_store
from .build_snapshot import Who
from .model import Answer, Snapshot
from .reservation import EventKeyTakenError, Reservation, ReservationId, ReservationStatus
from .rules.allowance import decide
from .rules.reservation import check_properties, check_quantity, counts_events
from .take_stock import state_of, take_stock

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

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.denial)
        self.answer = answer


async def consume(
    tx: Tx, events: EventStore, clock: Clock, snapshot: Snapshot, command: Consume
) -> tuple[Reservation, Answer]:
    """Takes the quantity; its event must now be recorded. Answers where the customer stands with it counted.

    Raises ConsumeRefusedError, FeatureNotFoundError, NotReservableError, EventKeyTakenError.
    """
    state = state_of(snapshot, command.feature)
    if snapshot.customer_id is None or state.metered is None:
        raise ConsumeRefusedError(decide(state, used=None, quantity=command.quantity))
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
    stock, present = await take_stock(tx, events, clock, snapshot, state.metered, key=command.key)
    if command.key in stock.recorded:
        raise EventKeyTakenError(command.key)
    asked = decide(state, used=stock.used, quantity=command.quantity, reserved=stock.held)
    if asked.denial is not None:
        raise ConsumeRefusedError(asked)
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
    await reservation_store.insert_reservation(tx, taken)
    await tx.audit(
        "allowance.consumed",
        taken.id,
        after={
            "customer_id": taken.customer_id,
            "user_id": taken.user_id,
            "feature": taken.feature,
            "quantity": taken.quantity,
            "event_key": taken.event_key,
        },
    )
    after = stock.using(command.quantity)
    return taken, decide(state, used=after.used, quantity=_ZERO, reserved=after.held)
