"""When live counters may be read: each flush reaches them, or nobody on any server reads them any more (ENT-4).

The promise: an acknowledged event is in the next answer of every server, and what was read once is never unread. A
server that cannot bring a flush into the counters, nor make them worthless, tells all others before it acknowledges
anything (storage/changes.py); they read no counter until they have made them worthless themselves. Who may have missed
that, because it could not listen or because Redis was lost meanwhile, reads no counter before it has compared what
reached Redis with what the database has. What is left is a Redis that loses writes and keeps its connections: the
comparison that each server makes every RECONCILE_S finds that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore, EventStoreUnavailableError

from . import store
from .bumps import Bumps
from .cache import CounterCache, CounterError
from .model import CountersUnsureError

log = structlog.get_logger()

RECONCILE_S: Final = 2.0
"""How often the flushes noted in Redis are compared with those in the database."""

GRACE: Final = timedelta(seconds=3)
"""How long a flush may be on its way from the database to Redis before it counts as lost."""

FORGET_WRITERS_AFTER: Final = timedelta(days=7)

REDIS_TIMEOUT_S: Final = 0.5
"""How long Redis may take to answer."""

REDIS_PAUSE_S: Final = 0.5
"""How long Redis is left alone after it failed: checks go to the database at once instead of waiting again."""

READ_WITHIN_S: Final = 1.5
"""How long the database may take for a reading before it counts as failed."""

_IN_FLIGHT: Final = timedelta(seconds=1)
"""After its commit, a flush is told to Redis within that time; or the telling has failed, and others are warned."""

_DROPPED_TOGETHER: Final = 1_000
"""Customers whose counters one round trip drops: some milliseconds of Redis."""

_COMPARE_AGAIN_S: Final = 0.02
_TRY_AGAIN_S: Final = 0.2


class TrustedCounters:
    """The counters of one process, and whether they hold all that was acknowledged; `start` before use."""

    def __init__(self, cache: CounterCache | None, events: EventStore, clock: Clock) -> None:
        self._cache = cache
        self._events = events
        self._clock = clock
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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def trusted(self) -> bool:
        """Whether the counters in Redis hold all that was acknowledged until now, as far as anybody knows."""
        return not self.distrusted and not self._unsure and self._is_current()

    async def bump(self, writer: int, sequence: int, bumps: Bumps) -> None:
        """Brings a committed flush into the counters, or makes all of them read as missing, on every server.

        Raises CountersUnsureError when neither can be done: then the flush must not be acknowledged.
        """
        if self._cache is None:
            return
        if not self.distrusted:
            try:
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    complete = await self._cache.bump(writer, sequence, bumps)
                    if not complete:
                        log.warning("counters_incomplete", writer=writer, sequence=sequence)
                        await self._change_epoch(self._cache)
                return
            except (CounterError, TimeoutError):
                log.warning("counters_not_bumped", writer=writer, sequence=sequence, exc_info=True)
        self._owed[writer] = sequence
        # Also when the epoch is about to be changed already: that may happen before this flush.
        await self._until_nobody_trusts()

    async def confirm(self) -> None:
        """Returns when what was found to be stored is in the counters, as far as this process knows, or nobody reads
        them. Raises CountersUnsureError as `bump` does, which may have refused the very same events before.
        """
        if self._cache is not None and self.distrusted:
            await self._until_nobody_trusts()

    async def forget(self, merchant_id: str, customer_ids: Collection[str]) -> bool:
        """Makes the counters of these customers read as missing, because usage has changed without a flush.

        Nobody else's: the epoch is everybody's, and a merchant who corrects much must not cost all others their
        counters. False when Redis could not be told: then this process reads no counter until it could.
        """
        if self._cache is None:
            return True
        if not self.distrusted:
            dropped = sorted(customer_ids)
            try:
                for start in range(0, len(dropped), _DROPPED_TOGETHER):
                    async with asyncio.timeout(REDIS_TIMEOUT_S):
                        await self._cache.drop(
                            merchant_id, dropped[start : start + _DROPPED_TOGETHER]
                        )
                return True
            except (CounterError, TimeoutError):
                log.warning("counters_not_forgotten", merchant_id=merchant_id, exc_info=True)
        await self._until_nobody_trusts()
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
        async with asyncio.timeout(REDIS_TIMEOUT_S):
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

    async def _until_nobody_trusts(self) -> None:
        """Returns when the epoch has changed, or all other servers have heard that they must not read counters."""
        change = self.distrust()
        assert change is not None, "there is a cache"
        if self._warn is None:
            await asyncio.wait([change], timeout=REDIS_TIMEOUT_S)
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
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                applied = await cache.applied()
            missing = [one for one in writers if one[1] > applied.get(one[0], 0)]
            if not missing or self._epoch_changes > changes:
                return
            waited = timedelta(seconds=loop.time() - began_s)
            if any(waited + max(now - at, timedelta(0)) >= _IN_FLIGHT for _, _, at in missing):
                log.warning("counters_lost_flushes", writers=[one[0] for one in missing])
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    await self._change_epoch(cache)
                    for number, sequence, _ in missing:
                        await cache.note(number, sequence)
                return
            await asyncio.sleep(_COMPARE_AGAIN_S)

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
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    await self._change_epoch(cache)
                self.distrusted = self._doubts > doubts
            except (CounterError, TimeoutError):
                await asyncio.sleep(REDIS_PAUSE_S)

    async def _keep_reconciling(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_S)
            try:
                await self.reconcile()
            except (CounterError, TimeoutError, *store.TRANSIENT):
                log.debug("counters_not_reconciled", exc_info=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
