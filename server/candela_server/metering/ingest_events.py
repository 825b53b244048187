"""Group commit: many callers' events in one transaction, acknowledged once they are durable (EVT-1 … EVT-3).

Data plane. All calls and streams of a process feed its writers, each with the events of its own customers
(event_lanes.py). A flush takes what waits for its writer, and in one transaction claims the keys, copies the events
whose key was free, adds to the rollups once per quarter-hour, and counts itself; then it bumps the live counters; only
then are the callers told. Acknowledged means committed, and visible to the next check on any server.

What it gives up for speed: batches of several merchants share a transaction, as candela_events, beyond the tenants'
wall; so every statement carries merchant_id in its data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import store
from .admit_events import Admission
from .directory import Directory
from .event_lanes import Batch, Call, Lane, divide
from .event_writer import Care, Writer
from .flush_events import (
    Flushed,
    Flusher,
    MetricsChangedError,
    WriterForgottenError,
)
from .hold_events import Strangers
from .model import (
    MAX_BATCH_EVENTS,
    BatchTooLargeError,
    CountersUnsureError,
    IngestionUnavailableError,
    Outcome,
    Recorded,
)
from .prepare_events import Preparer
from .prepared_event import Prepared
from .read_counters import Counters
from .tell_callers import tell

log = structlog.get_logger()

WRITERS: Final = 2
"""Transactions at once: while one waits for the disk, the other folds and copies. More only wait for each other."""

MAX_FLUSH_EVENTS: Final = 8_000
"""Events after which a flush takes no further batch: some 50 ms of work."""

_CROWD: Final = 6_000
"""Events in work above which large flushes matter more than early ones: the database is behind."""

_LINGER_S: Final = 0.02
"""How long a small flush then waits for company while another one is on its way."""

_LOOK_EVERY_S: Final = 0.002
_SMALL_FLUSH: Final = 4_000
_ATTEMPTS: Final = 5
_RETRY_S: Final = 0.05


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
        self._counters = counters
        self._preparer = Preparer(directory, clock)
        self._flusher = Flusher(events, directory, clock)
        self._strangers = Strangers(db, events, directory, clock)
        self._writers = [Writer() for _ in range(WRITERS)]
        self._lanes = [Lane() for _ in self._writers]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Starts the writers."""
        self._stopping = False
        await self._flusher.old_keys.start()
        self._tasks = [
            asyncio.create_task(self._write(writer, lane))
            for writer, lane in zip(self._writers, self._lanes, strict=True)
        ]

    async def stop(self) -> None:
        """Flushes what waits, then ends the writers."""
        self._stopping = True
        self.admission.close()
        self._wake_all()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        await self._flusher.old_keys.stop()

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
        prepared = await self._preparer.prepare(merchant_id, events)
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
        indexes = [index for index, event in enumerate(prepared.events) if event is not None]
        done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        if not indexes:
            done.set_result(recorded)
            return done
        kept = [event for event in prepared.events if event is not None]
        call = Call(recorded, done)
        for number, places in divide(kept, len(self._lanes)).items():
            call.open_parts += 1
            lane = self._lanes[number]
            lane.append(
                Batch(
                    merchant_id,
                    [kept[place] for place in places],
                    [indexes[place] for place in places],
                    call,
                )
            )
            if lane.events >= _SMALL_FLUSH:
                self._wake_all()
        return done

    def _wake_all(self) -> None:
        for lane in self._lanes:
            lane.work.set()

    async def _write(self, writer: Writer, own: Lane) -> None:
        """One writer's life: take what waits, flush it, tell; until stopped and nothing waits."""
        while True:
            await own.work.wait()
            lane = self._lane_for(own)
            if lane is None:
                if self._stopping:
                    return
                own.work.clear()
                continue
            await self._gather_company(lane)
            batches = lane.take(MAX_FLUSH_EVENTS)
            if not batches:
                continue
            writer.busy = True
            try:
                await self._flush_and_tell(writer, batches)
            finally:
                writer.busy = False

    def _lane_for(self, own: Lane) -> Lane | None:
        """The writer's own lane; when nothing waits there, one that is far behind."""
        if own.waiting:
            return own
        return next((lane for lane in self._lanes if lane.events >= _SMALL_FLUSH), None)

    async def _gather_company(self, lane: Lane) -> None:
        """Lets what is queued grow while another flush is on its way and many more events come: a large one costs less
        per event. Below that, whoever sent a few is answered the sooner for not waiting."""
        until_s = time.monotonic() + _LINGER_S
        while (
            self.admission.in_work.events >= _CROWD
            and any(one.busy for one in self._writers)
            and lane.events < _SMALL_FLUSH
            and time.monotonic() < until_s
        ):
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _flush_and_tell(self, writer: Writer, batches: list[Batch]) -> None:
        try:
            flushed = await self._flush_patiently(writer, batches)
        except store.TRANSIENT:
            log.warning("events_not_stored", batches=len(batches), exc_info=True)
            for batch in batches:
                batch.call.fail(IngestionUnavailableError())
            return
        except (
            Exception
        ) as error:  # whatever it is, the callers must hear of it and the writer must live on
            if len(batches) > 1:
                # Something in one of them is not to the database's taste: the others shall not suffer for it.
                for batch in batches:
                    await self._flush_and_tell(writer, [batch])
                return
            log.exception("batch_not_stored", merchant_id=batches[0].merchant_id)
            batches[0].call.fail(error)
            return
        assert writer.number is not None
        try:
            await self._counters.bump(writer.number, flushed.sequence, flushed.bumps)
        except CountersUnsureError:
            # Durable, but some server might not count them yet: sent again, they are found to be there.
            for batch in batches:
                batch.call.fail(IngestionUnavailableError())
            return
        tell(batches, flushed)

    async def _flush_patiently(self, writer: Writer, batches: Sequence[Batch]) -> Flushed:
        """Flushes, again if need be. A repetition after an unknown outcome finds its own keys taken: it counts
        nothing twice, and reports as deduplicated what it had stored itself."""
        care = writer.care()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                flushed = await self._flusher.flush(writer, batches, care)
                if flushed.met_known_keys:
                    writer.take_warning()
                else:
                    writer.note_clean()
                return flushed
            except store.KeyTakenError:
                if care is Care.CONTESTED:
                    raise
                care = Care(care + 1)
                writer.take_warning()
            except MetricsChangedError as changed:
                await self._directory.read_metrics_again(changed.merchant_id)
            except WriterForgottenError:
                writer.number = None
            except store.MissingPartitionError:
                self._flusher.partitions.forget()
            except store.TRANSIENT:
                # It may have been committed all the same, and then nobody would bump the counters.
                self._counters.distrust()
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_RETRY_S * attempt)
        raise IngestionUnavailableError
