"""Usage of metrics in SQL up to now, for checks (ENT-4, EVT-6): read from the database each time, never kept.

Of an indexed query, what is kept answers whenever it lacks nothing; only the rest takes a session of the sandbox. Those
who ask for the same while it is being read wait for the next reading, together: one that has begun may lack an event
that was acknowledged since. So the answer is never stale, and a busy check costs one query at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from candela_server.storage.events import EventStore, EventStoreUnavailableError

from . import query_usage
from .counter_names import AskKey, key_of
from .kept_edges import KeptEdges
from .model import UsageAsk
from .read_kept_sql import KeptReads


class SqlReads:
    """Readings that are on their way and those that will follow. One per process."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._edges = KeptEdges()
        self._kept = KeptReads(events, self._edges)
        self._next: dict[AskKey, asyncio.Future[Decimal]] = {}
        self._running: dict[AskKey, asyncio.Task[None]] = {}

    async def read(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal]:
        """The usage of each ask, with all events that were acknowledged before the call.

        Raises EventStoreUnavailableError at once while the database is known to be away.
        """
        if asks and self._events.outage.active:
            raise EventStoreUnavailableError
        kept = await self._kept.read(merchant_id, asks)
        lacking = [ask for ask, value in zip(asks, kept, strict=True) if value is None]
        measured = iter(
            await asyncio.gather(*[self._read_one(merchant_id, ask) for ask in lacking])
        )
        return [next(measured) if value is None else value for value in kept]

    async def stop(self) -> None:
        """Ends what runs."""
        await self._kept.stop()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_one(self, merchant_id: str, ask: UsageAsk) -> Decimal:
        key = key_of(merchant_id, ask)
        awaited = self._next.get(key)
        if awaited is None:
            awaited = self._next[key] = asyncio.get_running_loop().create_future()
            if key not in self._running:
                self._running[key] = asyncio.create_task(self._keep_reading(key, ask))
        return await asyncio.shield(awaited)

    async def _keep_reading(self, key: AskKey, ask: UsageAsk) -> None:
        awaited: asyncio.Future[Decimal] | None = None
        try:
            while (awaited := self._next.pop(key, None)) is not None:
                try:
                    [value] = await query_usage.aggregate_many(
                        self._events, key[0], [ask], edges=self._edges
                    )
                except Exception as error:  # everybody who waits must hear of it
                    awaited.set_exception(error)
                    awaited.exception()  # heard, even if nobody waits any more
                else:
                    awaited.set_result(value)
        finally:
            del self._running[key]
            for left in (awaited, self._next.pop(key, None)):
                if left is not None and not left.done():
                    left.cancel()
