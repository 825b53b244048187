"""The live counters: usage up to this moment for checks, from Redis when it is sure, from the rollups when not (ENT-4).

Data plane. Budget: one round trip to Redis for all checks that wait at the same time. A counter that is missing is
read from the rollups, once for all who ask, and kept from then on. Where Redis is gone, slow or not to be trusted,
the rollups answer: slower, never wrong.

What makes a counter right, and when none is read, is in trust_counters.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore, EventStoreUnavailableError

from . import query_usage
from .cache import CounterCache, CounterError, Expectation
from .compare_counters import BELIEVED_AFTER_S, Drift, compare_counters
from .counter_names import AskKey, key_of
from .counter_walk import CounterWalk
from .model import UsageAsk
from .read_sql_now import SqlReads
from .rules.bucket import to_microseconds
from .trust_counters import READ_WITHIN_S, REDIS_PAUSE_S, REDIS_TIMEOUT_S, TrustedCounters

log = structlog.get_logger()

_MAX_TOGETHER: Final = 1_000
_COMPANY_S: Final = 0.001
_DATABASE_READERS: Final = 2


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


class Counters(TrustedCounters):
    """Usage up to now. One per process; `start` before use."""

    def __init__(self, cache: CounterCache | None, events: EventStore, clock: Clock) -> None:
        super().__init__(cache, events, clock)
        self._waiting: list[_Waiting] = []
        self._missing: dict[AskKey, list[_Waiting]] = {}
        self._sql = SqlReads(events)
        self._readers = 0
        self._reading = False
        self._together = 1
        self._silent_until_s = 0.0

    async def stop(self) -> None:
        """Ends what runs in the background."""
        await self._sql.stop()
        await super().stop()

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

    async def audit(
        self,
        asks: Sequence[tuple[str, UsageAsk]],
        *,
        believed_after_s: float = BELIEVED_AFTER_S,
    ) -> list[Drift]:
        """Which of these counters do not hold what they stand for; they are made anew (compare_counters.py)."""
        walk = self.walk
        if walk is None:
            return []
        # Equal asks are one counter, and those that nobody has filled have nothing to compare.
        different = list(dict.fromkeys(asks))
        counters = await walk.read(different)
        there = [ask for ask, one in zip(different, counters, strict=True) if one is not None]
        found = await compare_counters(
            self._events, walk, self._clock, there, believed_after_s=believed_after_s
        )
        return found.drifted

    @property
    def walk(self) -> CounterWalk | None:
        """How to go over all counters there are, and to compare them; None while none is read."""
        if self._cache is None or not self.trusted() or not self._redis_answers():
            return None
        return CounterWalk(self._cache.redis)

    async def drift_counts(self) -> tuple[int, int] | None:
        """How many counters were compared with the rollups, and how many had drifted; None where nobody can say."""
        walk = self.walk
        if walk is None:
            return None
        try:
            return await walk.counts()
        except CounterError as error:
            log.warning("counter_drift_not_read", error=str(error))
            return None

    def _redis_answers(self) -> bool:
        return (
            self._cache is not None
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
                    async with asyncio.timeout(REDIS_TIMEOUT_S):
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
            self._missing.setdefault(key_of(one[0], one[1]), []).append(one)
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
            async with asyncio.timeout(REDIS_TIMEOUT_S):
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
            async with asyncio.timeout(REDIS_TIMEOUT_S):
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
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await cache.fill(merchant_id, filled, vector)
        except (CounterError, TimeoutError):
            self._pause_redis()

    def _pause_redis(self) -> None:
        self._silent_until_s = asyncio.get_running_loop().time() + REDIS_PAUSE_S
