"""Usage of indexed SQL metrics from what is kept of them, for checks (ENT-4, EVT-6): without running their queries.

A quarter-hour that changed since it was measured has to be measured, which is read_sql_now's matter, and is kept for
the next time; so is what a window cuts off one (kept_edges.py). All else is one statement for everybody who waits. A
reading begins after those who wait for it have asked, so that no answer lacks an event that was acknowledged before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.rules.sql_metric.query import indexed_aggregate, read_sql
from candela_server.catalog.rules.sql_metric.tree import SqlRefusedError
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore

from . import fill_progress_store
from .kept_edges import KeptEdges, edge_key
from .kept_sql_store import KeptPart, read_kept
from .measure_sql import combining
from .model import UsageAsk
from .rules.bucket import BUCKET, bucket_start, split
from .rules.sql_metric_binding import SqlResultError, usage_of

_Waiting = tuple[UsageAsk, KeptPart, asyncio.Future[Decimal | None]]


class KeptReads:
    """One reading at a time for each merchant, of all that is asked meanwhile. One per process."""

    def __init__(self, events: EventStore, edges: KeptEdges) -> None:
        """Takes where to read, and what the ends of windows measured."""
        self._events = events
        self._edges = edges
        self._waiting: dict[str, list[_Waiting]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def read(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Decimal | None]:
        """The usage of each ask, or None where something has to be measured, or the query keeps nothing."""
        loop = asyncio.get_running_loop()
        found: list[asyncio.Future[Decimal | None] | None] = []
        for ask in asks:
            part = _part_of(ask, self._edges, merchant_id)
            if part is None:
                found.append(None)
                continue
            future: asyncio.Future[Decimal | None] = loop.create_future()
            found.append(future)
            self._waiting.setdefault(merchant_id, []).append((ask, part, future))
        if merchant_id in self._waiting and merchant_id not in self._running:
            self._running[merchant_id] = loop.create_task(self._keep_reading(merchant_id))
        return [None if one is None else await one for one in found]

    async def stop(self) -> None:
        """Ends what runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_reading(self, merchant_id: str) -> None:
        batch: list[_Waiting] = []
        try:
            while batch := self._waiting.pop(merchant_id, []):
                try:
                    async with self._events.reader() as connection:
                        values = await _read(connection, merchant_id, batch)
                except Exception as error:  # everybody who waits must hear of it
                    for _, _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # heard, even if nobody waits any more
                    continue
                for (_, _, future), value in zip(batch, values, strict=True):
                    if not future.done():
                        future.set_result(value)
        finally:
            del self._running[merchant_id]
            for _, _, future in [*batch, *self._waiting.pop(merchant_id, [])]:
                future.cancel()


async def _read(
    connection: Connection, merchant_id: str, batch: Sequence[_Waiting]
) -> list[Decimal | None]:
    metric_ids = sorted({ask.metric.id for ask, _, _ in batch})
    filled = await fill_progress_store.read_filled(connection, merchant_id, metric_ids)
    kept = await read_kept(connection, merchant_id, [part for _, part, _ in batch])
    values: list[Decimal | None] = []
    for (ask, _, _), number in zip(batch, kept, strict=True):
        # Before history is read, only some of the quarter-hours with events are known of.
        if number.lacking or ask.metric.id not in filled.complete:
            values.append(None)
            continue
        try:
            values.append(usage_of(number.value))
        except SqlResultError:
            # Measuring says what is wrong, by the metric's name.
            values.append(None)
    return values


def _part_of(ask: UsageAsk, edges: KeptEdges, merchant_id: str) -> KeptPart | None:
    """What is kept of an ask; None of a query that keeps nothing, or within less than a quarter-hour."""
    whole = split(ask.window).whole
    if ask.metric.sql is None or not ask.metric.sql.indexed or whole is None:
        return None
    try:
        aggregate = indexed_aggregate(read_sql(ask.metric.sql.query))
    except SqlRefusedError:
        # An older release took it and this one does not; measuring says so.
        return None
    last = bucket_start(ask.window.end_at)
    end_at = last if last == ask.window.end_at else last + BUCKET
    cut = split(ask.window).edges
    known = {
        edge.start_at < whole.start_at: edges.find(edge_key(merchant_id, ask, edge)) for edge in cut
    }
    return KeptPart(
        customer_id=ask.who.customer_id,
        metric_id=ask.metric.id,
        user_id=ask.who.user_id or "",
        whole=whole,
        around=Interval(bucket_start(ask.window.start_at), end_at),
        combining=None if aggregate.distinct else combining(aggregate),
        first=known.get(True),
        last=known.get(False),
    )
