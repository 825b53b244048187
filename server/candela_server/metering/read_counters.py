"""The live counters: usage up to this moment for checks, from Redis when it is sure, from the rollups when not (ENT-4).

Data plane. Budget: one round trip to Redis for all checks that wait at the same time. A counter that is missing is
read from the rollups, once for all who ask, and kept from then on. Where Redis is gone, slow or not to be trusted,
the rollups answer: slower, never wrong.

The bound (documented promise): an acknowledged event is in the next answer of every server. The one exception is a
Redis that fails for the server that took the event and at the same time works for another: that other may answer
from counters that lack the event for at most RECONCILE_S + GRACE, until the comparison with the database finds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore

from . import query_usage, store
from .cache import Bump, CounterCache, CounterError, Expectation, counter_id
from .model import UsageAsk
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

Reading: TypeAlias = tuple[Decimal, bool]
"""A usage, and whether it came from the live counters (else from the rollups)."""

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
        self._silent_until_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Finds out whether anything was lost while nobody looked, and keeps looking."""
        if self._cache is not None:
            with suppress(CounterError, TimeoutError):
                await self.reconcile(grace=timedelta(0))
            self._spawn(self._keep_reconciling())

    async def stop(self) -> None:
        """Ends what runs in the background."""
        await self._sql.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal]:
        """The usage of each ask, with all events that were acknowledged before the call."""
        return [value for value, _ in await self.read_marked(merchant_id, asks)]

    async def read_marked(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Reading]:
        """The same, each with where it came from."""
        if not asks:
            return []
        if any(ask.metric.sql is not None for ask in asks):
            return await self._read_with_sql(merchant_id, asks)
        loop = asyncio.get_running_loop()
        waiting = [(merchant_id, ask, loop.create_future()) for ask in asks]
        if self._trusts_redis():
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
        return [next(counted) if ask.metric.sql is None else (next(queried), False) for ask in asks]

    async def bump(self, writer: int, sequence: int, bumps: Sequence[Bump]) -> None:
        """Brings a committed flush into the counters, or makes all of them read as missing."""
        if self._cache is None:
            return
        if self.distrusted:
            # This process reads no counter now. The epoch must change once more, after this flush: the change that
            # is on its way may already have happened before it.
            self._doubts += 1
            return
        try:
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                complete = await self._cache.bump(writer, sequence, bumps)
                if not complete:
                    log.warning("counters_incomplete", writer=writer, sequence=sequence)
                    await self._cache.change_epoch()
        except (CounterError, TimeoutError):
            log.warning("counters_not_bumped", writer=writer, sequence=sequence, exc_info=True)
            change = self.distrust()
            if change is not None:
                # The callers are told after this: where Redis works again, no other server reads the old counters.
                await asyncio.wait([change], timeout=_REDIS_TIMEOUT_S)

    def distrust(self) -> asyncio.Task[None] | None:
        """Answers from the database until the epoch has changed, so that no counter of before is read again."""
        self._doubts += 1
        if self._cache is None or self.distrusted:
            return None
        self.distrusted = True
        return self._spawn(self._change_epoch_patiently(self._cache))

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
                await self._cache.change_epoch()
                for number, sequence in lost:
                    await self._cache.note(number, sequence)
            known = {number for number, _, _ in writers}
            await self._cache.forget([number for number in applied if number not in known])
        return bool(lost)

    def _trusts_redis(self) -> bool:
        return (
            self._cache is not None
            and not self.distrusted
            and self._cache.available
            and asyncio.get_running_loop().time() >= self._silent_until_s
        )

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
                        waiting[2].set_result((value, True))
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
                    values = await self._fill(merchant_id, [group[0][1] for group in groups])
                except Exception as error:  # everybody who waits must hear of it
                    for group in groups:
                        for _, _, future in group:
                            if not future.done():
                                future.set_exception(error)
                    continue
                for group, value in zip(groups, values, strict=True):
                    for _, _, future in group:
                        if not future.done():
                            future.set_result((value, False))
        finally:
            self._readers -= 1

    async def _fill(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal]:
        """Reads the rollups, and makes counters of what was read."""
        expected = await self._expect(merchant_id, asks)
        values, vector = await query_usage.aggregate_with_vector(
            self._events, merchant_id, asks, now=self._clock.now()
        )
        if expected is not None and self._cache is not None:
            filled = list(zip(asks, expected, values, strict=True))
            self._spawn(self._keep(self._cache, merchant_id, filled, vector))
        return values

    async def _expect(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Expectation] | None:
        if self._cache is None or not self._trusts_redis():
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
        with suppress(CounterError, TimeoutError):
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                await cache.fill(merchant_id, filled, vector)

    async def _change_epoch_patiently(self, cache: CounterCache) -> None:
        while self.distrusted:
            doubts = self._doubts
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    await cache.change_epoch()
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
