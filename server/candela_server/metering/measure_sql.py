"""Measures metrics in SQL: the query over the window, or only the quarter-hours that changed (EVT-6, EVT-7).

An indexed metric's number is the query's own: its aggregate is of those whose parts add up exactly, a quarter-hour that
is kept was measured by the same query over its events, and is used only while no event of it changed since. What is
missing is measured in the snapshot of the answer and kept for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from candela_server.catalog.rules.sql_metric.query import SqlQuery, indexed_aggregate, read_sql
from candela_server.catalog.rules.sql_metric.tree import Aggregate, SqlRefusedError
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.sql_sandbox import (
    Row,
    SandboxSession,
    SqlMetricFailedError,
    SqlMetricTooCostlyError,
)

from . import fill_progress_store, sql_store
from .kept_edges import KeptEdges, MeasuredEdge, edge_key
from .metric_fill import Filled
from .model import SqlScope, UsageAsk
from .rules.bucket import BUCKET, bucket_start, split
from .rules.sql_metric_binding import SqlResultError, bucket_query, usage_of, window_query
from .sql_errors import SqlEventsDroppedError, SqlMetricResultError
from .sql_store import Combining, MeasuredBucket
from .store import TRANSIENT
from .usage_store import Part

MAX_ROWS: Final = 110_000
"""Quarter-hours of the longest window that can be asked for, three years."""

MAX_MEMBERS: Final = 10_000
"""Distinct values of one quarter-hour that are kept; one with more is measured each time."""

MAX_KEPT: Final = 20_000
"""Quarter-hours kept after one answer; the next one keeps more."""

BUDGET_S: Final = 120.0
"""For all queries of one call: a billing run of a thousand customers takes a few seconds of it."""

_MAX_NAMED: Final = 96
"""Quarter-hours that one query names; more of them are read as all between the first and the last."""

_FAR: Final = BUCKET * 16


@dataclass(slots=True)
class SqlReading:
    """One snapshot: for rollups and events, and for queries where there are any; and what is worth keeping of it."""

    merchant_id: str
    connection: Connection
    session: SandboxSession | None = None
    filled: Filled = field(default_factory=Filled)
    until_s: float = 0.0
    measured: list[MeasuredBucket] = field(default_factory=list)
    edges: KeptEdges | None = None


@asynccontextmanager
async def reading(
    store: EventStore,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    *,
    within_s: float | None = None,
    edges: KeptEdges | None = None,
) -> AsyncIterator[SqlReading]:
    """A snapshot for these asks, read `within_s` where none is a query; `edges` remember the ends of windows.

    The sandbox is waited for first, so that nobody else's reader is held meanwhile.
    """
    queries = sorted({ask.metric.id for ask in asks if ask.metric.sql is not None})
    if not queries:
        async with store.reader(within_s=within_s) as connection:
            yield SqlReading(merchant_id, connection)
        return
    async with store.sandbox.session(merchant_id) as session, store.reader() as connection:
        cursor = await connection.execute("SELECT pg_export_snapshot()")
        row = await cursor.fetchone()
        assert row is not None
        await session.share(row[0])
        until_s = asyncio.get_running_loop().time() + BUDGET_S
        filled = await fill_progress_store.read_filled(connection, merchant_id, queries)
        shared = SqlReading(merchant_id, connection, session, filled, until_s, edges=edges)
        yield shared
    if shared.measured:
        # Only a saving for the next answer: whoever asked is not made to wait for a busy database or to fail by it.
        with suppress(*TRANSIENT):
            async with store.writer() as connection:
                await sql_store.keep_buckets(connection, merchant_id, shared.measured[:MAX_KEPT])


async def measure(shared: SqlReading, ask: UsageAsk) -> Decimal:
    """What a metric in SQL measured. Raises SqlMetricResultError and the sandbox's errors."""
    assert ask.metric.sql is not None, "only queries are measured here"
    assert shared.session is not None, "a reading for such an ask has a session"
    if asyncio.get_running_loop().time() > shared.until_s:
        raise SqlMetricTooCostlyError
    try:
        query = read_sql(ask.metric.sql.query)
        whole = split(ask.window).whole if ask.metric.sql.indexed else None
        # Before that, only some of the quarter-hours with events are marked.
        if whole is not None and ask.metric.id in shared.filled.complete:
            return usage_of(await _from_buckets(shared, shared.session, ask, query, whole))
        require_kept(shared, ask.window)
        scope = scope_of(shared.merchant_id, ask, ask.window)
        text = window_query(query.select, ask.metric, scope)
        [(_, value, _)] = await shared.session.run(scope, text, 1)
        return usage_of(value)
    except (SqlMetricFailedError, SqlResultError, SqlRefusedError):
        # Refused: a query that an older release took and this one does not.
        raise SqlMetricResultError(ask.metric.slug) from None


async def _from_buckets(
    shared: SqlReading, session: SandboxSession, ask: UsageAsk, query: SqlQuery, whole: Interval
) -> Decimal | None:
    """The sum, least or largest of what is kept, of what had to be measured anew, and of cut quarter-hours."""
    kept = indexed_aggregate(query)
    part = part_of(ask, whole)
    stale = await sql_store.list_stale_buckets(shared.connection, shared.merchant_id, part)
    rows: list[Row] = []
    for run in runs_of([bucket_at for bucket_at, _ in stale]):
        require_kept(shared, Interval(run[0], run[-1] + BUCKET))
        rows += await measure_run(shared, session, ask, query, kept, run)
    note_measured(shared, part, stale, rows)
    for edge in split(ask.window).edges:
        rows += await _measure_edge(shared, session, ask, query, kept, edge)
    if kept.distinct:
        members = {member for _, _, some in rows for member in some or ()}
        return Decimal(
            await sql_store.count_members(
                shared.connection, shared.merchant_id, part, sorted(members)
            )
        )
    values = [value for _, value, _ in rows if value is not None]
    return await sql_store.read_buckets(
        shared.connection, shared.merchant_id, part, combining(kept), values
    )


async def _measure_edge(
    shared: SqlReading,
    session: SandboxSession,
    ask: UsageAsk,
    query: SqlQuery,
    kept: Aggregate,
    edge: Interval,
) -> list[Row]:
    """What a cut quarter-hour measured: where edges are remembered, only once for each of its revisions."""
    key, bucket_at = edge_key(shared.merchant_id, ask, edge), bucket_start(edge.start_at)
    revision = None
    if shared.edges is not None:
        part = part_of(ask, Interval(bucket_at, bucket_at + BUCKET))
        revision = await sql_store.find_revision(shared.connection, shared.merchant_id, part)
        known = shared.edges.find(key)
        if known is not None and known.revision == revision:
            return [(bucket_at, known.value, list(known.members))]
    require_kept(shared, edge)
    scope = scope_of(shared.merchant_id, ask, edge)
    text = bucket_query(query.select, kept, ask.metric, scope, [])
    rows = await session.run(scope, text, 1)
    if shared.edges is not None and revision is not None:
        _, value, members = rows[0] if rows else (bucket_at, None, None)
        shared.edges.keep(key, MeasuredEdge(revision, value, tuple(members or ())))
    return rows


def require_kept(shared: SqlReading, window: Interval) -> None:
    """Refuses what is older than the events that are left: less than what happened is no usage."""
    kept_since = shared.filled.kept_since
    if kept_since is not None and window.start_at < kept_since:
        raise SqlEventsDroppedError(kept_since)


async def measure_run(
    shared: SqlReading,
    session: SandboxSession,
    ask: UsageAsk,
    query: SqlQuery,
    kept: Aggregate,
    run: Sequence[datetime],
) -> list[Row]:
    """Measures some quarter-hours that are near each other."""
    scope = scope_of(shared.merchant_id, ask, Interval(run[0], run[-1] + BUCKET))
    wanted = set(run)
    named = run if len(run) <= _MAX_NAMED else []
    text = bucket_query(query.select, kept, ask.metric, scope, named)
    return [row for row in await session.run(scope, text, MAX_ROWS) if row[0] in wanted]


def combining(kept: Aggregate) -> Combining:
    """What makes one number of the quarter-hours' numbers."""
    match kept.function:
        case "min":
            return "min"
        case "max":
            return "max"
        case _:
            return "sum"


def runs_of(buckets: Sequence[datetime]) -> list[list[datetime]]:
    """The quarter-hours in groups that are worth one query each."""
    runs: list[list[datetime]] = []
    for bucket_at in buckets:
        if runs and bucket_at - runs[-1][-1] <= _FAR:
            runs[-1].append(bucket_at)
        else:
            runs.append([bucket_at])
    return runs


def note_measured(
    shared: SqlReading, part: Part, stale: Sequence[tuple[datetime, int]], rows: Sequence[Row]
) -> None:
    """Notes what was measured, to be kept; a quarter-hour without a row has no event that the query reads."""
    measured = {bucket_at: (value, members) for bucket_at, value, members in rows}
    for bucket_at, revision in stale:
        value, members = measured.get(bucket_at, (None, None))
        if members is not None and len(members) > MAX_MEMBERS:
            continue
        shared.measured.append(
            MeasuredBucket(
                customer_id=part.customer_id,
                metric_id=part.metric_id,
                user_id=part.user_id,
                bucket_at=bucket_at,
                revision=revision,
                value=value,
                members=members,
            )
        )


def scope_of(merchant_id: str, ask: UsageAsk, window: Interval) -> SqlScope:
    """Whose events of this window a query may see."""
    return SqlScope(
        merchant_id=merchant_id,
        customer_id=ask.who.customer_id,
        user_id=ask.who.user_id or "",
        window=window,
    )


def part_of(ask: UsageAsk, window: Interval) -> Part:
    """What is kept of this window."""
    return Part(
        ask.who.customer_id,
        ask.metric.id,
        ask.who.user_id or "",
        window.start_at,
        window.end_at,
    )
