"""Voids one event and records another in its place, in one transaction (EVT-4).

The new event is of the same customer and the same instant: only what happened, how much, whose of the customer's
users it was, and the properties can be put right. What belongs to another customer or time is voided and recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, InvalidInput, Reason
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import chosen_event_store, correction_store, key_store
from .correct_usage import Corrected, correct_usage, new_correction
from .correction import ChosenEvent, CorrectionKind, EventNotCountedError, StoredEvent
from .event_statements import ReadingStatements, as_events
from .find_events import find_events, remembered_since
from .model import EventConflictError, Rejection, refusal
from .prepare_events import Preparer
from .prepared_event import PreparedEvent
from .rules.bucket import from_microseconds, to_microseconds
from .rules.dedupe import claim_months
from .rules.lateness import Bounds

_REPLACED: str = "replaced_idempotency_key"


class SentEvent(Protocol):
    """What is read here of an event as it was sent."""

    idempotency_key: str
    properties_json: bytes

    def HasField(self, field_name: Any) -> bool:
        """Whether an optional field is set."""
        ...


InPlaceOf: TypeAlias = Callable[[SentEvent, str, datetime], SentEvent]
"""The same event with what it leaves out: the customer and the instant of the one that it takes the place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceEvent:
    """Which event another one takes the place of, and why. `sent_at` is the new one's timestamp, if it has one."""

    replaced_key: str
    sent: SentEvent
    sent_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A replacement as far as it can be prepared outside the transaction, or why it cannot."""

    event: PreparedEvent | None
    refused: CandelaError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Both facts; `corrected` is to be told to the counters after the commit."""

    replaced: StoredEvent
    event: StoredEvent
    corrected: Corrected | None


async def prepare_replacement(
    db: Postgres,
    events: EventStore,
    preparer: Preparer,
    clock: Clock,
    merchant_id: str,
    command: ReplaceEvent,
    in_place_of: InPlaceOf,
) -> Replacement:
    """Checks the new event as ingestion does. What is wrong with it is raised by `replace_event`, because a repeated
    call must get its first answer whatever has become of the customer since."""
    now = clock.now()
    try:
        async with db.reading(merchant_id) as tx:
            oldest = await remembered_since(tx, now)
        async with events.reader() as connection:
            [old] = await find_events(
                ReadingStatements(connection),
                merchant_id,
                [command.replaced_key],
                oldest,
                field=_REPLACED,
            )
        if command.sent_at is not None and command.sent_at != old.happened_at:
            raise InvalidInput(
                f"the timestamp {command.sent_at.isoformat()} is not that of the replaced event, "
                f"{old.happened_at.isoformat()}; leave it out, or void the one event and record another",
                field="event.timestamp",
            )
        instant = to_microseconds(old.happened_at)
        prepared = await preparer.prepare(
            merchant_id,
            [in_place_of(command.sent, old.customer_id, old.happened_at)],
            Bounds(instant, instant),
        )
        if prepared.rejections:
            raise refusal(prepared.rejections[0])
        [event] = prepared.events
        assert event is not None, "an event is prepared or rejected"
        if event.customer_id != old.customer_id:
            raise InvalidInput(
                f"the event is of {event.customer_id} and the replaced one of {old.customer_id}; "
                "void the one and record the other",
                field="event.customer_id",
            )
    except CandelaError as error:
        return Replacement(event=None, refused=error)
    async with events.writer() as connection:
        await key_store.prepare_event_keys(connection, claim_months(now).claimed)
    return Replacement(event=event, refused=None)


async def replace_event(
    tx: Tx, clock: Clock, command: ReplaceEvent, replacement: Replacement
) -> Replaced:
    """Replaces an event that counts.

    Raises EventNotFoundError, EventNotCountedError, EventConflictError when the new key is taken, whatever its
    payload, InvalidInput for another customer or timestamp, and what RecordEvent raises.
    """
    if replacement.refused is not None:
        raise replacement.refused
    assert replacement.event is not None, "prepared or refused"
    event = replacement.event
    now = clock.now()
    await correction_store.hold_flushes(tx)
    oldest = await remembered_since(tx, now)
    async with as_events(tx) as statements:
        [old] = await find_events(
            statements, tx.merchant_id, [command.replaced_key], oldest, field=_REPLACED
        )
        if not old.counts:
            raise EventNotCountedError(old, _REPLACED)
        hashed = UUID(bytes=event.key_hash)
        if await chosen_event_store.list_key_places(statements, [hashed], oldest):
            raise _taken(command.sent.idempotency_key)
        await correction_store.insert_key(
            statements, hashed, event.payload_hash, old.happened_at, claim_months(now).claimed
        )
        new = StoredEvent(
            key_hash=hashed,
            idempotency_key=command.sent.idempotency_key,
            name=event.name,
            customer_id=event.customer_id,
            user_id=event.user_id or None,
            value=event.value,
            happened_at=from_microseconds(event.happened_us),
            properties_json=command.sent.properties_json.decode(),
            received_at=now,
            came_with=old.came_with,
            counts=True,
            voided_at=None,
            replaced_by_key=None,
        )
        await correction_store.insert_event(statements, new)
    correction = new_correction(
        tx, clock, CorrectionKind.REPLACE, event_count=1, reason=command.reason
    )
    await correction_store.insert_correction(tx, correction)
    async with as_events(tx) as statements:
        await correction_store.insert_voids(
            statements, correction, [old.chosen], replaced_by_key=new.idempotency_key
        )
        stored = {
            one.key_hash: one
            for one in await chosen_event_store.list_events_at(
                statements, tx.merchant_id, [old.key_hash, new.key_hash], [old.happened_at]
            )
            if one.came_with == old.came_with
        }
        old, new = stored[old.key_hash], stored[new.key_hash]
    touched: list[ChosenEvent] = [old.chosen, new.chosen]
    corrected = await correct_usage(tx, correction, touched)
    await tx.audit(
        "event.replaced",
        correction.id,
        before=_trace(old),
        after=_trace(new),
        reason=command.reason,
    )
    return Replaced(replaced=old, event=new, corrected=corrected)


def _taken(key: str) -> EventConflictError:
    return EventConflictError(
        Rejection(
            0,
            Reason.EVENT_KEY_CONFLICT,
            "idempotency_key",
            f"the key {key!r} was used before; give the event a new key",
        )
    )


def _trace(event: StoredEvent) -> dict[str, object]:
    return {
        "idempotency_key": event.idempotency_key,
        "name": event.name,
        "customer_id": event.customer_id,
        "user_id": event.user_id,
        "value": event.value,
        "happened_at": event.happened_at,
    }
