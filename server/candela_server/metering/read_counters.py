"""The live counters: usage up to this moment for checks, from Redis when it is sure, from the rollups when not (ENT-4).

Data plane. Budget: one round trip to Redis for all checks that wait at the same time. A counter that is missing is
read from the rollups, once for all who ask, and kept from then on. Where Redis is gone, slow or not to be trusted,
the rollups answer: slower, never wrong.

The promise: an acknowledged event is in the next answer of every server, and what was read once is never unread. A
server that cannot bring a flush into the counters, nor make them worthless, tells all others before it acknowledges
anything (storage/changes.py); they read no counter until they have made them worthless themselves. Who may have missed
that, because it could not listen or because Redis was lost meanwhile, reads no counter before it has compared what
reached Redis with what the database has. What is left is a Redis that loses writes and keeps its connections: the
comparison that each server makes every RECONCILE_S finds that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore, EventStoreUnavailableError

from . import query_usage, store
from .audit_counters import Drift, audit_counters
from .cache import Bump, CounterCache, CounterError, Expectation, counter_id
from .model import CountersUnsureError, UsageAsk
from .read_sql_now import SqlReads
from .rules.bucket import to_microseconds

log = structlog.get_logger()

RECONCILE_S: Final = 2.0
"""How often the flushes noted in Redis are compared with those in the database."""

GRACE: Final = timedelta(seconds=3)
"""How long a flush may be on its way from the database to Redis before it counts as lost."""

FORGET_WRITERS_AFTER: Final = timedelta(days=7)

_REDIS_TIMEOUT_S: Final = 0.5
_REDIS_PAUSE_S: Final = 0.5
"""How long Redis is left alone after it failed: checks go to the database at once instead of waiting again."""

_MAX_TOGETHER: Final = 1_000
_COMPANY_S: Final = 0.001
_DATABASE_READERS: Final = 2

READ_WITHIN_S: Final = 1.5
"""How long the database may take for a reading before it counts as failed."""

_IN_FLIGHT: Final = timedelta(seconds=1)
"""After its commit, a flush is told to Redis within that time; or the telling has failed, and others are warned."""

_COMPARE_AGAIN_S: Final = 0.02
_TRY_AGAIN_S: Final = 0.2


class ReadFrom(StrEnum):
    """Where a usage came from. Counters are doubtful when they were read because the database is away."""

    COUNTERS = "counters"
    ROLLUPS = "rollups"
    DOUBTFUL_COUNTERS = "doubtful_counters"


class Reading(NamedTuple):
    """A usage, and where it came from."""

    value: Decimal
    source: ReadFrom


_Waiting: TypeAlias = tuple[str, UsageAsk, asyncio.Future[Reading]]


class Counters:
    """Usage up to now. One per process; `start` before use."""

    def __init__(self, cache: CounterCache | None, events: EventStore, clock: Clock) -> None:
        self._cache = cache
        self._events = events
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._missing: dict[tuple[str, str], list[_Waiting]] = {}
        self._sql = SqlReads(events)
        self._readers = 0
        self._reading = False
        self._together = 1
        self.distrusted = False
        self._doubts = 0
        self._changing: asyncio.Task[None] | None = None
        self._unsure = False
        self._gaps = 0
        # Flushes that never reached Redis, and need not once the epoch has changed.
        self._owed: dict[int, int] = {}
        self._epoch_changes = 0
        self._is_current: Callable[[], bool] = lambda: True
        self._warn: Callable[[], Awaitable[None]] | None = None
        self._silent_until_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Finds out whether anything was lost while nobody looked, and keeps looking."""
        if self._cache is not None:
            with suppress(CounterError, TimeoutError):
                await self.reconcile(grace=timedelta(0))
            self._spawn(self._keep_reconciling())

    def join(self, is_current: Callable[[], bool], warn: Callable[[], Awaitable[None]]) -> None:
        """Makes this one of several servers.

        `is_current` says whether every warning so far has been heard, and `warn` returns when all others have heard
        that counters lack events.
        """
        self._is_current, self._warn = is_current, warn

    async def stop(self) -> None:
        """Ends what runs in the background."""
        await self._sql.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal]:
        """The usage of each ask, with all events that were acknowledged before the call."""
        return [reading.value for reading in await self.read_marked(merchant_id, asks)]

    async def read_marked(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Reading]:
        """The same, each with where it came from.

        When the database is away, counters of which nothing bad is known answer. Raises EventStoreUnavailableError
        when there are none.
        """
        if not asks:
            return []
        if any(ask.metric.sql is not None for ask in asks):
            return await self._read_with_sql(merchant_id, asks)
        loop = asyncio.get_running_loop()
        waiting = [(merchant_id, ask, loop.create_future()) for ask in asks]
        if self.trusted() and self._redis_answers():
            self._waiting += waiting
            if not self._reading:
                self._reading = True
                self._spawn(self._read_redis())
        else:
            self._ask_database(waiting)
        if len(waiting) == 1:
            return [await waiting[0][2]]
        return list(await asyncio.gather(*[future for _, _, future in waiting]))

    async def _read_with_sql(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Reading]:
        """The same where some metrics are queries: these are read from the database each time, beside the others."""
        built_in = [ask for ask in asks if ask.metric.sql is None]
        found, measured = await asyncio.gather(
            self.read_marked(merchant_id, built_in),
            self._sql.read(merchant_id, [ask for ask in asks if ask.metric.sql is not None]),
        )
        counted, queried = iter(found), iter(measured)
        return [
            next(counted) if ask.metric.sql is None else Reading(next(queried), ReadFrom.ROLLUPS)
            for ask in asks
        ]

    def trusted(self) -> bool:
        """Whether the counters in Redis hold all that was acknowledged until now, as far as anybody knows."""
        return not self.distrusted and not self._unsure and self._is_current()

    async def bump(self, writer: int, sequence: int, bumps: Sequence[Bump]) -> None:
        """Brings a committed flush into the counters, or makes all of them read as missing, on every server.

        Raises CountersUnsureError when neither can be done: then the flush must not be acknowledged.
        """
        if self._cache is None:
            return
        if not self.distrusted:
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    complete = await self._cache.bump(writer, sequence, bumps)
                    if not complete:
                        log.warning("counters_incomplete", writer=writer, sequence=sequence)
                        await self._change_epoch(self._cache)
                return
            except (CounterError, TimeoutError):
                log.warning("counters_not_bumped", writer=writer, sequence=sequence, exc_info=True)
        self._owed[writer] = sequence
        # Also when the epoch is about to be changed already: that may happen before this flush.
        change = self.distrust()
        assert change is not None, "there is a cache"
        await self._until_nobody_trusts(change)

    async def forget(self, merchant_id: str, customer_ids: Collection[str] | None) -> bool:
        """Makes the counters of these customers, or of all for None, read as missing, because usage has changed
        without a flush. False when Redis could not be told: then this process reads no counter until it could."""
        if self._cache is None:
            return True
        if not self.distrusted:
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    if customer_ids is None:
                        await self._cache.change_epoch()
                    else:
                        await self._cache.drop(merchant_id, customer_ids)
                return True
            except (CounterError, TimeoutError):
                log.warning("counters_not_forgotten", merchant_id=merchant_id, exc_info=True)
        change = self.distrust()
        assert change is not None, "there is a cache"
        await self._until_nobody_trusts(change)
        return False

    def distrust(self) -> asyncio.Task[None] | None:
        """Answers from the database until the epoch has changed, so that no counter of before is read again."""
        self._doubts += 1
        if self._cache is None:
            return None
        if not self.distrusted or self._changing is None or self._changing.done():
            self.distrusted = True
            self._changing = self._spawn(self._change_epoch_patiently(self._cache))
        return self._changing

    def doubt(self) -> None:
        """Something may have been missed: reads no counter before Redis was compared with the database."""
        self._gaps += 1
        if self._cache is not None and not self._unsure:
            self._unsure = True
            self._spawn(self._make_sure(self._cache))

    async def reconcile(self, grace: timedelta = GRACE) -> bool:
        """Changes the epoch when a committed flush never reached the counters. Answers whether it did."""
        if self._cache is None:
            return False
        now = self._clock.now()
        async with self._events.writer() as connection:
            writers = await store.list_writers(connection)
            await store.forget_writers(connection, now - FORGET_WRITERS_AFTER)
        async with asyncio.timeout(_REDIS_TIMEOUT_S):
            applied = await self._cache.applied()
            lost = [
                (number, sequence)
                for number, sequence, flushed_at in writers
                if sequence > applied.get(number, 0) and now - flushed_at >= grace
            ]
            if lost:
                log.warning("counters_lost_flushes", writers=[number for number, _ in lost])
                await self._change_epoch(self._cache)
                for number, sequence in lost:
                    await self._cache.note(number, sequence)
            known = {number for number, _, _ in writers}
            await self._cache.forget([number for number in applied if number not in known])
        return bool(lost)

    async def audit(self, asks: Sequence[tuple[str, UsageAsk]]) -> list[Drift]:
        """Which of these counters do not hold what they stand for; they are made anew (audit_counters.py)."""
        if self._cache is None or not self.trusted() or not self._redis_answers():
            return []
        return await audit_counters(self._cache, self._events, asks)

    def _redis_answers(self) -> bool:
        return (
            self._cache is not None
            and self._cache.available
            and asyncio.get_running_loop().time() >= self._silent_until_s
        )

    async def _until_nobody_trusts(self, change: asyncio.Task[None]) -> None:
        """Returns when the epoch has changed, or all other servers have heard that they must not read counters."""
        if self._warn is None:
            await asyncio.wait([change], timeout=_REDIS_TIMEOUT_S)
            return
        warning = asyncio.ensure_future(self._warn())
        try:
            await asyncio.wait([change, warning], return_when=asyncio.FIRST_COMPLETED)
            if change.done():
                return
            if (error := warning.exception()) is not None:
                raise CountersUnsureError from error
        finally:
            if not warning.done():
                warning.cancel()
                await asyncio.gather(warning, return_exceptions=True)

    async def _make_sure(self, cache: CounterCache) -> None:
        while self._unsure:
            gaps = self._gaps
            try:
                await self._compare(cache)
                self._unsure = self._gaps > gaps
            except (CounterError, TimeoutError, *store.TRANSIENT):
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _compare(self, cache: CounterCache) -> None:
        """Returns when all flushes that the database has are in the counters, or the counters are worthless.

        A flush may still be on its way from the one to the other.
        """
        changes = self._epoch_changes
        if self._events.outage.active:
            raise EventStoreUnavailableError
        async with self._events.reader(within_s=READ_WITHIN_S) as connection:
            writers = await store.list_writers(connection)
        loop = asyncio.get_running_loop()
        began_s, now = loop.time(), self._clock.now()
        while True:
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                applied = await cache.applied()
            missing = [one for one in writers if one[1] > applied.get(one[0], 0)]
            if not missing or self._epoch_changes > changes:
                return
            waited = timedelta(seconds=loop.time() - began_s)
            if any(waited + max(now - at, timedelta(0)) >= _IN_FLIGHT for _, _, at in missing):
                log.warning("counters_lost_flushes", writers=[one[0] for one in missing])
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    await self._change_epoch(cache)
                    for number, sequence, _ in missing:
                        await cache.note(number, sequence)
                return
            await asyncio.sleep(_COMPARE_AGAIN_S)

    async def _read_redis(self) -> None:
        """Reads for everybody who waits, round trip after round trip, until nobody does."""
        assert self._cache is not None
        try:
            while self._waiting:
                await self._gather_company()
                some = self._waiting[:_MAX_TOGETHER]
                del self._waiting[:_MAX_TOGETHER]
                self._together = len(some)
                try:
                    async with asyncio.timeout(_REDIS_TIMEOUT_S):
                        values = await self._cache.read([(one[0], one[1]) for one in some])
                except (CounterError, TimeoutError):
                    self._pause_redis()
                    self._ask_database(some)
                    continue
                except Exception as error:  # everybody who waits must hear of it
                    for _, _, future in some:
                        if not future.done():
                            future.set_exception(error)
                    continue
                if self.distrusted:
                    # A flush failed to arrive while these were being read.
                    self._ask_database(some)
                    continue
                missing = []
                for waiting, value in zip(some, values, strict=True):
                    if value is None:
                        missing.append(waiting)
                    elif not waiting[2].done():
                        waiting[2].set_result(Reading(value, ReadFrom.COUNTERS))
                self._ask_database(missing)
        finally:
            self._reading = False

    async def _gather_company(self) -> None:
        """Lets callers who are on their way join the round trip.

        A lone caller goes at once. Where several went together the last time, the next ones are given a millisecond to
        come together too: a busy server then makes several times fewer round trips, each of which costs it more
        processor time than a dozen callers' answers.
        """
        if self._together > 1:
            await asyncio.sleep(_COMPANY_S)

    def _ask_database(self, waiting: Sequence[_Waiting]) -> None:
        """Queues what the rollups must answer. Equal asks are read once; none joins a reading that has begun,
        because that may lack what was acknowledged since."""
        for one in waiting:
            self._missing.setdefault((one[0], counter_id(one[1])), []).append(one)
        if self._missing and self._readers < _DATABASE_READERS:
            self._readers += 1
            self._spawn(self._read_database())

    async def _read_database(self) -> None:
        try:
            while self._missing:
                merchant_id = next(iter(self._missing))[0]
                keys = [key for key in self._missing if key[0] == merchant_id][:_MAX_TOGETHER]
                groups = [self._missing.pop(key) for key in keys]
                try:
                    readings = await self._read_anyhow(merchant_id, [one[0][1] for one in groups])
                except Exception as error:  # everybody who waits must hear of it
                    for group in groups:
                        for _, _, future in group:
                            if not future.done():
                                future.set_exception(error)
                    continue
                for group, reading in zip(groups, readings, strict=True):
                    for _, _, future in group:
                        if future.done():
                            continue
                        if reading is None:
                            future.set_exception(EventStoreUnavailableError())
                        else:
                            future.set_result(reading)
        finally:
            self._readers -= 1

    async def _read_anyhow(
        self, merchant_id: str, asks: Sequence[UsageAsk]
    ) -> Sequence[Reading | None]:
        """From the rollups, or else from counters that nobody vouches for now; None where there are none."""
        if not self._events.outage.active:
            try:
                values = await self._fill(merchant_id, asks)
                return [Reading(value, ReadFrom.ROLLUPS) for value in values]
            except EventStoreUnavailableError:
                self._events.outage.begin()
        if self._cache is None or self.distrusted or not self._redis_answers():
            raise EventStoreUnavailableError
        try:
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                found = await self._cache.read([(merchant_id, ask) for ask in asks])
        except (CounterError, TimeoutError) as error:
            self._pause_redis()
            raise EventStoreUnavailableError from error
        return [
            None if value is None else Reading(value, ReadFrom.DOUBTFUL_COUNTERS) for value in found
        ]

    async def _fill(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal]:
        """Reads the rollups, and makes counters of what was read.

        The answer waits for that: afterwards no counter is older than the answer, whoever filled it.
        """
        expected = await self._expect(merchant_id, asks)
        values, vector = await query_usage.aggregate_with_vector(
            self._events, merchant_id, asks, now=self._clock.now(), within_s=READ_WITHIN_S
        )
        if expected is not None and self._cache is not None:
            filled = list(zip(asks, expected, values, strict=True))
            await self._keep(self._cache, merchant_id, filled, vector)
        return values

    async def _expect(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Expectation] | None:
        if self._cache is None or self.distrusted or not self._redis_answers():
            return None
        try:
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                return await self._cache.expect(
                    merchant_id, asks, to_microseconds(self._clock.now())
                )
        except (CounterError, TimeoutError):
            self._pause_redis()
            return None

    async def _keep(
        self,
        cache: CounterCache,
        merchant_id: str,
        filled: Sequence[tuple[UsageAsk, Expectation, Decimal]],
        vector: str,
    ) -> None:
        # A filling that fails leaves an announcement behind, which the next one uses.
        try:
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                await cache.fill(merchant_id, filled, vector)
        except (CounterError, TimeoutError):
            self._pause_redis()

    async def _change_epoch(self, cache: CounterCache) -> None:
        owed, self._owed = self._owed, {}
        try:
            await cache.change_epoch()
        except BaseException:
            self._owed = owed | self._owed
            raise
        self._epoch_changes += 1
        for writer, sequence in owed.items():
            # Else the next comparison would find a gap, and change the epoch once more.
            await cache.note(writer, sequence)

    async def _change_epoch_patiently(self, cache: CounterCache) -> None:
        while self.distrusted:
            doubts = self._doubts
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    await self._change_epoch(cache)
                self.distrusted = self._doubts > doubts
            except (CounterError, TimeoutError):
                await asyncio.sleep(_REDIS_PAUSE_S)

    async def _keep_reconciling(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_S)
            try:
                await self.reconcile()
            except (CounterError, TimeoutError, *store.TRANSIENT):
                log.debug("counters_not_reconciled", exc_info=True)

    def _pause_redis(self) -> None:
        self._silent_until_s = asyncio.get_running_loop().time() + _REDIS_PAUSE_S

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
