"""Group commit: many callers' events in one transaction, acknowledged once they are durable (EVT-1 … EVT-3).

Data plane. A flush takes what waits for its writer, and in one transaction claims the keys, copies the events whose key
was free, adds to the rollups once per quarter-hour, and counts itself (flush_events.py); then it bumps the live
counters, while the next one is written; only then are the callers told. Acknowledged means committed, and visible to
the next check on any server.

What it gives up for speed: batches of several merchants share a transaction, as candela_events, beyond the tenants'
wall; so every statement carries merchant_id in its data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from . import store
from .admit_events import Admission
from .directory import Directory
from .event_lanes import Batch, Lane
from .event_writer import Care, Writer
from .flush_at_once import AT_ONCE
from .flush_events import Flusher
from .flush_work import Flushed
from .model import CountersUnsureError, IngestionUnavailableError
from .read_counters import Counters
from .tell_callers import tell

log = structlog.get_logger()

WRITERS: Final = 2
"""Transactions at once: while one waits for the disk, the other folds and copies. More only wait for each other."""

SMALL_FLUSH: Final = 4_000
"""Events that are worth a flush of their own, whoever takes it."""

_MAX_FLUSH: Final = 8_000
"""Events after which a flush takes no further batch: some 50 ms of work."""

CALM: Final = 4 * AT_ONCE
"""Events in work up to which flushes are small: two writers store as many at most, and two let as many wait."""

_CROWD: Final = 6_000
"""Events in work above which large flushes matter more than early ones: the database is behind."""

_LINGER_S: Final = 0.02
"""How long a small flush then waits for company while another one is on its way."""

_PACE_S: Final = 0.02
"""From the beginning of a small flush to that of the next one by the same writer, while many events are in work."""

_MANY: Final = 600
"""Events in work from which on that is worth it: each flush costs as much as some hundred events, besides its own."""

_SEVERAL: Final = 3
"""Batches that wait: fewer are of callers who send the next one when they are answered, and would wait for nobody."""

_LOOK_EVERY_S: Final = 0.002
_ATTEMPTS: Final = 5
_RETRY_S: Final = 0.05


class Writers:
    """The writers of a process, and the lane of each; `start` before use, `stop` drains."""

    def __init__(
        self, flusher: Flusher, directory: Directory, counters: Counters, admission: Admission
    ) -> None:
        self._flusher = flusher
        self._directory = directory
        self._counters = counters
        self._admission = admission
        self._writers = [Writer() for _ in range(WRITERS)]
        self.lanes = [Lane() for _ in self._writers]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Begins to write what is put into the lanes."""
        self._stopping = False
        self._tasks = [
            asyncio.create_task(self._write(writer, lane))
            for writer, lane in zip(self._writers, self.lanes, strict=True)
        ]

    async def stop(self) -> None:
        """Flushes what waits, then ends the writers."""
        self._stopping = True
        self.wake()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    def wake(self) -> None:
        """Has every writer look for work, its own or another's."""
        for lane in self.lanes:
            lane.work.set()

    async def _write(self, writer: Writer, own: Lane) -> None:
        """One writer's life: take what waits, flush it, tell; until stopped and nothing waits."""
        while True:
            await own.work.wait()
            lane = self._lane_for(own)
            if lane is None:
                if self._stopping:
                    await writer.all_told()
                    return
                own.work.clear()
                continue
            await self._keep_pace(writer, lane)
            await self._gather_company(lane)
            batches = lane.take(_MAX_FLUSH)
            if not batches:
                continue
            writer.busy, writer.began_s = True, time.monotonic()
            try:
                await self._flush(writer, batches)
            finally:
                writer.busy = False

    def _lane_for(self, own: Lane) -> Lane | None:
        """The writer's own lane; when nothing waits there, one that is far behind."""
        if own.waiting:
            return own
        return next((lane for lane in self.lanes if lane.events >= SMALL_FLUSH), None)

    async def _keep_pace(self, writer: Writer, lane: Lane) -> None:
        """Lets a small flush wait until it is time for this writer's next one, when others are about to come."""
        while (
            self._admission.in_work.events >= _MANY
            and len(lane.waiting) >= _SEVERAL
            and lane.events < AT_ONCE
            and (left_s := writer.began_s + _PACE_S - time.monotonic()) > 0
        ):
            await asyncio.sleep(min(left_s, 2 * _LOOK_EVERY_S))

    async def _gather_company(self, lane: Lane) -> None:
        """Lets what is queued grow while another flush is on its way and many more events come: a large one costs less
        per event. Below that, whoever sent a few is answered the sooner for not waiting."""
        until_s = time.monotonic() + _LINGER_S
        while (
            self._admission.in_work.events >= _CROWD
            and any(one.busy for one in self._writers)
            and lane.events < SMALL_FLUSH
            and time.monotonic() < until_s
        ):
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _flush(self, writer: Writer, batches: list[Batch]) -> None:
        """Stores batches, and begins to tell their callers, who hear of whatever went wrong."""
        try:
            flushed = await self._flush_patiently(writer, batches)
        except store.TRANSIENT:
            log.warning("events_not_stored", batches=len(batches), exc_info=True)
            self._refuse(batches)
            return
        except (
            Exception
        ) as error:  # whatever it is, the callers must hear of it and the writer must live on
            if len(batches) > 1:
                # Something in one of them is not to the database's taste: the others shall not suffer for it.
                for batch in batches:
                    await self._flush(writer, [batch])
                return
            log.exception("batch_not_stored", merchant_id=batches[0].merchant_id)
            batches[0].call.fail(error)
            return
        assert writer.number is not None
        await writer.tell_next(self._bump_and_tell(writer.number, batches, flushed))

    async def _bump_and_tell(self, number: int, batches: list[Batch], flushed: Flushed) -> None:
        try:
            if flushed.begun is None:
                await self._counters.confirm()
            else:
                await self._counters.bump(number, flushed.begun.sequence, flushed.bumps)
        except CountersUnsureError:
            # Durable, but some server might not count them yet: sent again, they are found to be there.
            self._refuse(batches)
        except Exception:  # the writer must live on, and nobody may believe that all count them
            log.exception("counters_not_bumped", writer=number, flush=flushed.begun)
            self._counters.distrust()
            self._refuse(batches)
        else:
            tell(batches, flushed)

    def _refuse(self, batches: list[Batch]) -> None:
        for batch in batches:
            batch.call.fail(IngestionUnavailableError())

    async def _flush_patiently(self, writer: Writer, batches: Sequence[Batch]) -> Flushed:
        """Flushes, again if need be. A repetition after an unknown outcome finds its own keys taken: it counts
        nothing twice, and reports as deduplicated what it had stored itself."""
        care = writer.care()
        is_unsure = False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                flushed = await self._flusher.flush(writer, batches, care)
                if is_unsure and flushed.begun is None:
                    # What stands may be what was stored just now, later than the counters were last read anew.
                    self._counters.distrust()
                if flushed.begun is not None:
                    writer.layer.note(flushed.begun.place)
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
            except store.MetricsChangedError as changed:
                await self._directory.read_metrics_again(changed.merchant_id)
            except store.WriterForgottenError:
                writer.register(None)
            except store.MissingPartitionError:
                self._flusher.partitions.forget()
            except store.TRANSIENT:
                # It may have been committed all the same, and then nobody would bump the counters.
                is_unsure = True
                self._counters.distrust()
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_RETRY_S * attempt)
        raise IngestionUnavailableError
