"""Takes events in: admits, prepares and queues them for the writers, who store many callers' at once (EVT-1 … EVT-3).

Data plane. All calls and streams of a process feed its writers (write_events.py), each with the events of its own
customers (event_lanes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from .admit_events import Admission
from .directory import Directory
from .event_lanes import Batch, Call, divide
from .flush_events import Flusher
from .hold_events import Strangers
from .model import (
    MAX_BATCH_EVENTS,
    BatchTooLargeError,
    IngestionUnavailableError,
    Outcome,
    Recorded,
)
from .old_keys import OldKeys
from .prepare_events import Preparer
from .prepared_event import Prepared
from .read_counters import Counters
from .write_events import CALM, SMALL_FLUSH, Writers


class Ingestor:
    """Takes events in. One per process; `start` before use, `stop` drains."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        directory: Directory,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self.admission = Admission()
        self._directory = directory
        self._preparer = Preparer(directory, clock)
        self.old_keys = OldKeys(events)
        self._strangers = Strangers(db, events, directory, clock)
        flusher = Flusher(events, directory, clock, self.old_keys)
        self._writers = Writers(flusher, directory, counters, self.admission)
        self._stopping = False

    async def start(self) -> None:
        """Starts the writers."""
        self._stopping = False
        self.old_keys.start()
        self._writers.start()

    async def stop(self) -> None:
        """Flushes what waits, then ends the writers."""
        self._stopping = True
        self.admission.close()
        await self._writers.stop()
        await self.old_keys.stop()

    async def record(self, merchant_id: str, events: Sequence[Any]) -> Recorded:
        """What became of each event, once that is durable. Raises BatchTooLargeError, IngestionUnavailableError."""
        return await (await self.submit(merchant_id, events))

    async def submit(self, merchant_id: str, events: Sequence[Any]) -> asyncio.Future[Recorded]:
        """Queues a batch; the future tells what became of it once that is durable.

        Waits while too many events are in work already: that is the back-pressure; see admit_events.py. Raises
        BatchTooLargeError, IngestionBusyError and IngestionUnavailableError.
        """
        if len(events) > MAX_BATCH_EVENTS:
            raise BatchTooLargeError(len(events))
        if self._stopping:
            raise IngestionUnavailableError
        return await self.admission.admit(events, lambda: self._take_in(merchant_id, events))

    async def _take_in(self, merchant_id: str, events: Sequence[Any]) -> asyncio.Future[Recorded]:
        prepared = await self._preparer.prepare(
            merchant_id, events, in_pieces=self.admission.in_work.events < CALM
        )
        outcomes = await self._strangers.set_apart(merchant_id, events, prepared)
        return self._queue_up(merchant_id, prepared, outcomes)

    async def record_again(
        self, merchant_id: str, events: Sequence[Any], came_us: Sequence[int]
    ) -> Recorded:
        """As `record`, for events that were kept apart and first came at these instants; none is kept again."""
        return await (
            await self.admission.admit(
                events, lambda: self._take_in_again(merchant_id, events, came_us)
            )
        )

    async def _take_in_again(
        self, merchant_id: str, events: Sequence[Any], came_us: Sequence[int]
    ) -> asyncio.Future[Recorded]:
        prepared = await self._preparer.prepare(merchant_id, events, came_us=came_us)
        unread = await self._strangers.refuse_unread(merchant_id, prepared)
        for rejection in unread:
            prepared.take(rejection.index)
        prepared.rejections.extend(unread)
        prepared.rejections.sort(key=lambda rejection: rejection.index)
        outcomes = [Outcome.REJECTED] * len(events)
        return self._queue_up(merchant_id, prepared, outcomes)

    def _queue_up(
        self, merchant_id: str, prepared: Prepared, outcomes: list[Outcome]
    ) -> asyncio.Future[Recorded]:
        recorded = Recorded(outcomes=outcomes, rejections=prepared.rejections)
        kept = [event for event in prepared.events if event is not None]
        done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        if not kept:
            done.set_result(recorded)
            return done
        indexes = None
        if len(kept) < len(prepared.events):
            indexes = [index for index, event in enumerate(prepared.events) if event is not None]
        call = Call(recorded, done)
        for number, places in divide(kept, len(self._writers.lanes)).items():
            call.open_parts += 1
            lane = self._writers.lanes[number]
            lane.append(
                Batch(
                    merchant_id,
                    list(map(kept.__getitem__, places)),
                    places if indexes is None else list(map(indexes.__getitem__, places)),
                    call,
                )
            )
            if lane.events >= SMALL_FLUSH:
                self._writers.wake()
        return done
