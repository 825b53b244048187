"""Indexed metrics in SQL over all of a merchant's customers together: "active customers", for one (EVT-6, EVT-12).

Every query still sees one customer's events and no more: what makes an aggregate one of quarter-hours makes it one of
customers, too. Quarter-hours that are kept are combined by the database; what changed, what the window cuts, and what
was not marked yet is measured customer by customer, within the time of one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from candela_server.catalog.model import Metric
from candela_server.catalog.rules.sql_metric.query import SqlQuery, indexed_aggregate, read_sql
from candela_server.catalog.rules.sql_metric.tree import Aggregate, SqlRefusedError
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.sql_sandbox import (
    Row,
    SandboxSession,
    SqlMetricFailedError,
    SqlMetricTooCostlyError,
)

from . import sql_everyone_store
from .measure_sql import (
    MAX_ROWS,
    SqlReading,
    combining,
    measure_run,
    note_measured,
    part_of,
    reading,
    require_kept,
    runs_of,
    scope_of,
)
from .model import EVERYONE, UsageAsk, UsageOf
from .rules.bucket import Split, split
from .rules.metric_reading import event_sql
from .rules.sql_metric_binding import SqlResultError, bucket_query, usage_of
from .sql_errors import SqlMetricResultError

MAX_CUSTOMERS: Final = 20_000
"""Customers whose events one answer reads anew: more do not fit into the time of one call."""


async def aggregate_everyone_by_sql(
    store: EventStore, merchant_id: str, metric: Metric, windows: Sequence[Interval]
) -> list[Decimal]:
    """The usage in each window, all as of one instant. Raises SqlMetricResultError and the sandbox's errors."""
    asks = [UsageAsk(metric=metric, who=EVERYONE, window=window) for window in windows]
    async with reading(store, merchant_id, asks) as shared:
        assert shared.session is not None, "a reading for such asks has a session"
        return [await _measure(shared, shared.session, metric, window) for window in windows]


async def _measure(
    shared: SqlReading, session: SandboxSession, metric: Metric, window: Interval
) -> Decimal:
    assert metric.sql is not None, "only queries are measured here"
    try:
        query = read_sql(metric.sql.query)
        kept = indexed_aggregate(query)
        # Before the metric has read history, only some of the quarter-hours with events are marked.
        complete = metric.id in shared.filled.complete
        parts = split(window) if complete else Split(None, (window,))
        rows: list[Row] = []
        if parts.whole is not None:
            rows += await _changed(shared, session, metric, query, kept, parts.whole)
        for edge in parts.edges:
            rows += await _from_events(shared, session, metric, query, kept, edge)
        return usage_of(await _combined(shared, metric, kept, parts.whole, rows))
    except (SqlMetricFailedError, SqlResultError, SqlRefusedError):
        raise SqlMetricResultError(metric.slug) from None


async def _changed(
    shared: SqlReading,
    session: SandboxSession,
    metric: Metric,
    query: SqlQuery,
    kept: Aggregate,
    whole: Interval,
) -> list[Row]:
    """Measures the quarter-hours whose events changed, and notes them to be kept."""
    found: list[Row] = []
    stale = await sql_everyone_store.list_stale_buckets(
        shared.connection, shared.merchant_id, metric.id, whole
    )
    for customer_id, some in groupby(stale, key=lambda one: one[0]):
        ask = _ask(metric, customer_id, whole)
        buckets = [(bucket_at, revision) for _, bucket_at, revision in some]
        rows: list[Row] = []
        for run in runs_of([bucket_at for bucket_at, _ in buckets]):
            _require_time(shared)
            rows += await measure_run(shared, session, ask, query, kept, run)
        note_measured(shared, part_of(ask, whole), buckets, rows)
        found += rows
    return found


async def _from_events(
    shared: SqlReading,
    session: SandboxSession,
    metric: Metric,
    query: SqlQuery,
    kept: Aggregate,
    span: Interval,
) -> list[Row]:
    """Measures a span that nothing is kept of."""
    require_kept(shared, span)
    customers = await sql_everyone_store.list_customers(
        shared.connection, shared.merchant_id, event_sql(metric), span, limit=MAX_CUSTOMERS + 1
    )
    if len(customers) > MAX_CUSTOMERS:
        raise SqlMetricTooCostlyError
    rows: list[Row] = []
    for customer_id in customers:
        _require_time(shared)
        scope = scope_of(shared.merchant_id, _ask(metric, customer_id, span), span)
        text = bucket_query(query.select, kept, metric, scope, [])
        rows += await session.run(scope, text, MAX_ROWS)
    return rows


async def _combined(
    shared: SqlReading,
    metric: Metric,
    kept: Aggregate,
    whole: Interval | None,
    rows: Sequence[Row],
) -> Decimal | None:
    if kept.distinct:
        members = {member for _, _, some in rows for member in some or ()}
        return Decimal(
            await sql_everyone_store.count_members(
                shared.connection, shared.merchant_id, metric.id, whole, sorted(members)
            )
        )
    values = [value for _, value, _ in rows if value is not None]
    return await sql_everyone_store.read_buckets(
        shared.connection, shared.merchant_id, metric.id, whole, combining(kept), values
    )


def _ask(metric: Metric, customer_id: str, window: Interval) -> UsageAsk:
    return UsageAsk(metric=metric, who=UsageOf(customer_id=CustomerId(customer_id)), window=window)


def _require_time(shared: SqlReading) -> None:
    if asyncio.get_running_loop().time() > shared.until_s:
        raise SqlMetricTooCostlyError
