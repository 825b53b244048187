"""Takes in the events of an open backfill: durable and with their keys claimed, but not counted yet (EVT-4, EVT-9).

No group commit: each batch is a transaction of its own, which has no rollups to write and nobody to tell. It holds the
merchant's metrics as a flush does, so that a backfill is never closed while a batch is on its way into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Reason
from candela_server.storage import copy_binary
from candela_server.storage.events import EventStore

from . import backfill_event_store, backfill_store, key_store, store
from .admit_events import Admission
from .claim_events import First, claim_keys
from .correction import Backfill, BackfillNotFoundError, BackfillStateError, BackfillStatus
from .directory import Directory
from .model import (
    MAX_BATCH_EVENTS,
    BatchTooLargeError,
    IngestionUnavailableError,
    Outcome,
    Recorded,
    Rejection,
)
from .prepare_events import Preparer
from .prepared_event import PreparedEvent, joined
from .rules.bucket import from_microseconds, to_microseconds
from .rules.dedupe import claim_months
from .rules.lateness import Bounds

_ATTEMPTS: Final = 4
_RETRY_S: Final = 0.05
_FIELDS: Final = copy_binary.field_count(11)
_FIELDS_LENGTH: Final = len(_FIELDS)


class BackfillRecorder:
    """Takes events into backfills. One per process."""

    def __init__(
        self,
        events: EventStore,
        directory: Directory,
        preparer: Preparer,
        clock: Clock,
        admission: Admission,
    ) -> None:
        """Takes where events are kept, who knows the merchant's settings, who checks events, and the door that they
        share with all others."""
        self._admission = admission
        self._events = events
        self._directory = directory
        self._preparer = preparer
        self._clock = clock

    async def submit(
        self, merchant_id: str, backfill_id: str, events: Sequence[Any]
    ) -> asyncio.Future[Recorded]:
        """The same as `record`, as streams wait for it; it is done already."""

        async def take_in() -> asyncio.Future[Recorded]:
            done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
            done.set_result(await self._record(merchant_id, backfill_id, events))
            return done

        if len(events) > MAX_BATCH_EVENTS:
            raise BatchTooLargeError(len(events))
        return await self._admission.admit(events, take_in)

    async def record(self, merchant_id: str, backfill_id: str, events: Sequence[Any]) -> Recorded:
        """What became of each event, once that is durable.

        Raises BatchTooLargeError, IngestionBusyError, BackfillNotFoundError, BackfillStateError for one that is not
        open, and IngestionUnavailableError.
        """
        return await (await self.submit(merchant_id, backfill_id, events))

    async def _record(self, merchant_id: str, backfill_id: str, events: Sequence[Any]) -> Recorded:
        async with self._events.reader() as connection:
            backfill = _open(
                await backfill_store.read_backfill(connection, merchant_id, backfill_id),
                backfill_id,
            )
        kept, recorded = await self._prepare(merchant_id, backfill, events)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._store(merchant_id, backfill_id, kept, recorded)
            except store.TRANSIENT as error:
                if attempt == _ATTEMPTS:
                    raise IngestionUnavailableError from error
                await asyncio.sleep(_RETRY_S * attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _prepare(
        self, merchant_id: str, backfill: Backfill, events: Sequence[Any]
    ) -> tuple[list[tuple[int, PreparedEvent]], Recorded]:
        """The events that only their key can still refuse, by index, and what is wrong with the others."""
        window = Bounds(
            to_microseconds(backfill.window.start_at), to_microseconds(backfill.window.end_at) - 1
        )
        prepared = await self._preparer.prepare(merchant_id, events, window)
        rejections = [_in_words(one, backfill) for one in prepared.rejections]
        kept: list[tuple[int, PreparedEvent]] = []
        for index, event in enumerate(prepared.events):
            if event is None:
                continue
            if not events[index].HasField("timestamp"):
                rejections.append(
                    Rejection(
                        index,
                        Reason.INVALID_FIELD,
                        "timestamp",
                        "an event of a backfill says when it happened",
                    )
                )
            elif backfill.customer_id not in (None, event.customer_id):
                rejections.append(
                    Rejection(
                        index,
                        Reason.INVALID_FIELD,
                        "customer_id",
                        f"the backfill is of {backfill.customer_id} and the event of {event.customer_id}; "
                        "open another one",
                    )
                )
            else:
                kept.append((index, event))
        outcomes = [Outcome.REJECTED] * len(events)
        return kept, Recorded(outcomes=outcomes, rejections=rejections)

    async def _store(
        self,
        merchant_id: str,
        backfill_id: str,
        kept: Sequence[tuple[int, PreparedEvent]],
        recorded: Recorded,
    ) -> Recorded:
        first: First = {}
        for _, event in sorted(kept, key=lambda one: (one[1].key_hash, one[0])):
            first.setdefault(event.key_hash, event)
        if not first:
            return recorded
        now = self._clock.now()
        # The merchant's own window: what it remembers longer than others must not count twice here either (EVT-2).
        months = claim_months(now, (await self._directory.book(merchant_id)).dedupe_window)
        instants = {_month(event): event.happened_us for _, event in kept}
        async with self._events.writer() as connection:
            await key_store.prepare_event_keys(connection, months.claimed)
            await store.prepare_events(
                connection, [from_microseconds(one) for one in instants.values()]
            )
        async with self._events.writer() as connection:
            await store.hold_metrics(connection, merchant_id)
            _open(
                await backfill_store.read_backfill(connection, merchant_id, backfill_id),
                backfill_id,
            )
            won, stored = await claim_keys(connection, first, months.claimed, months.oldest)
            repeated = [
                key
                for key in first
                if key not in won and stored.get(key) == first[key].payload_hash
            ]
            if won:
                field = copy_binary.text_field(backfill_id)
                await backfill_event_store.copy_backfill_events(
                    connection,
                    [
                        _FIELDS + joined(first[key].row)[_FIELDS_LENGTH:] + field
                        for key in sorted(won)
                    ],
                )
                await backfill_store.count_joined(connection, merchant_id, backfill_id, len(won))
            if repeated:
                await backfill_event_store.insert_kept(
                    connection, merchant_id, backfill_id, repeated
                )
        _decide(recorded, kept, won, {**stored, **{key: first[key].payload_hash for key in won}})
        return recorded


def _open(backfill: Backfill | None, backfill_id: str) -> Backfill:
    if backfill is None:
        raise BackfillNotFoundError(backfill_id)
    if backfill.status is not BackfillStatus.OPEN:
        raise BackfillStateError(backfill, "take events")
    return backfill


def _month(event: PreparedEvent) -> tuple[int, int]:
    instant = from_microseconds(event.happened_us)
    return instant.year, instant.month


def _in_words(rejection: Rejection, backfill: Backfill) -> Rejection:
    if rejection.reason not in (Reason.EVENT_TOO_EARLY, Reason.EVENT_TOO_LATE):
        return rejection
    return Rejection(
        rejection.index,
        rejection.reason,
        rejection.field,
        f"the timestamp lies outside {backfill.window}, the backfill's window, or in the customer's future",
    )


def _decide(
    recorded: Recorded,
    kept: Sequence[tuple[int, PreparedEvent]],
    won: set[bytes],
    payloads: dict[bytes, bytes],
) -> None:
    """Says what became of each: the first of a won key was accepted, all others are compared with what stands."""
    unclaimed = set(won)
    for index, event in kept:
        if event.key_hash in unclaimed:
            unclaimed.discard(event.key_hash)
            recorded.outcomes[index] = Outcome.ACCEPTED
        elif payloads.get(event.key_hash) == event.payload_hash:
            recorded.outcomes[index] = Outcome.DEDUPLICATED
        else:
            recorded.rejections.append(
                Rejection(
                    index,
                    Reason.EVENT_KEY_CONFLICT,
                    "idempotency_key",
                    "the key was used with another payload and the first one stands; use a new key",
                )
            )
    recorded.rejections.sort(key=lambda rejection: rejection.index)
