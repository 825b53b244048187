"""Every SQL text that reads history into a metric step by step, and keeps how far that has come (EVT-10).

What is made is what flushes would have made, to the last digit. Statements over events run as candela_events, which no
tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from candela_server.catalog.model import MetricId
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .metric_fill import UNREAD_FROM, Filled, FillId, FillStatus, MetricFill
from .rules.metric_reading import EventSql

_FILL = """id, metric_id, status, start_at, end_at, filled_from_at, read_count, estimated_count, failure,
           started_at, finished_at"""
_STATUSES = {
    "filling": FillStatus.FILLING,
    "complete": FillStatus.COMPLETE,
    "failed": FillStatus.FAILED,
}


async def read_filled(
    connection: Connection, merchant_id: str, metric_ids: Sequence[str]
) -> Filled:
    """How far these metrics have read history, as of the connection's snapshot."""
    cursor = await connection.execute(
        """
        SELECT metric_id, NULL::timestamptz FROM metric_history
        WHERE merchant_id = %(merchant_id)s AND metric_id = ANY(%(metric_ids)s)
        UNION ALL
        SELECT metric_id, filled_from_at FROM metric_fill
        WHERE merchant_id = %(merchant_id)s AND metric_id = ANY(%(metric_ids)s) AND finished_at IS NULL
        UNION ALL
        SELECT '', kept_since FROM event_retention
        """,
        {"merchant_id": merchant_id, "metric_ids": list(metric_ids)},
    )
    complete: set[str] = set()
    filled_from: dict[str, datetime] = {}
    kept_since: datetime | None = None
    for metric_id, instant in await cursor.fetchall():
        if not metric_id:
            kept_since = instant
        elif instant is None:
            complete.add(metric_id)
        else:
            filled_from[metric_id] = instant
    return Filled(complete=frozenset(complete), filled_from=filled_from, kept_since=kept_since)


async def list_fill_statuses(tx: Tx) -> dict[str, FillStatus]:
    """The status of each metric that ever had a fill, by its latest one."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (metric_id) metric_id, status FROM metric_fill WHERE merchant_id = $1
        ORDER BY metric_id, started_at DESC, id DESC
        """,
        tx.merchant_id,
    )
    return {row["metric_id"]: _STATUSES[row["status"]] for row in rows}


async def find_latest_fill(tx: Tx, metric_id: MetricId) -> MetricFill | None:
    """The metric's latest fill."""
    row = await tx.fetchrow(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = $1 AND metric_id = $2
        ORDER BY started_at DESC, id DESC LIMIT 1
        """,
        tx.merchant_id,
        metric_id,
    )
    return _fill_from_values(list(row.values())) if row else None


async def insert_fill(tx: Tx, fill_id: FillId, metric_id: MetricId, now: datetime) -> None:
    """Starts a fill of a metric that has none running; the caller holds the metric's row."""
    await tx.execute(
        """
        INSERT INTO metric_fill (merchant_id, id, metric_id, status, filled_from_at, started_at)
        VALUES ($1, $2, $3, 'filling', $4, $5)
        """,
        tx.merchant_id,
        fill_id,
        metric_id,
        UNREAD_FROM,
        now,
    )


async def list_running_fills(connection: Connection, merchant_id: str) -> list[MetricFill]:
    """The merchant's running fills, oldest first."""
    cursor = await connection.execute(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = %s AND finished_at IS NULL
        ORDER BY started_at, id
        """,
        [merchant_id],
    )
    return [_fill_from_values(row) for row in await cursor.fetchall()]


async def lock_running_fill(
    connection: Connection, merchant_id: str, fill_id: FillId
) -> MetricFill | None:
    """The fill, which nobody else goes on with until the transaction ends; None when it has ended."""
    cursor = await connection.execute(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = %s AND id = %s AND finished_at IS NULL
        FOR UPDATE
        """,
        [merchant_id, fill_id],
    )
    row = await cursor.fetchone()
    return _fill_from_values(row) if row else None


async def save_fill(connection: Connection, merchant_id: str, fill: MetricFill) -> None:
    """Stores how far a fill has come."""
    await connection.execute(
        """
        UPDATE metric_fill SET status = %s, start_at = %s, end_at = %s, filled_from_at = %s, read_count = %s,
               estimated_count = %s, failure = %s, finished_at = %s
        WHERE merchant_id = %s AND id = %s
        """,
        [
            fill.status.name.lower(),
            fill.window.start_at if fill.window else None,
            fill.window.end_at if fill.window else None,
            fill.filled_from_at,
            fill.read_count,
            fill.estimated_count,
            fill.failure,
            fill.finished_at,
            merchant_id,
            fill.id,
        ],
    )


async def find_event_span(
    connection: Connection, merchant_id: str
) -> tuple[datetime, datetime] | None:
    """The instants of the merchant's first and last event; None when there is none."""
    cursor = await connection.execute(
        """
        SELECT (SELECT happened_at FROM event WHERE merchant_id = %(merchant_id)s
                ORDER BY happened_at LIMIT 1),
               (SELECT happened_at FROM event WHERE merchant_id = %(merchant_id)s
                ORDER BY happened_at DESC LIMIT 1)
        """,
        {"merchant_id": merchant_id},
    )
    row = await cursor.fetchone()
    assert row is not None
    return None if row[0] is None else (row[0], row[1])


async def find_crowded_instant(
    connection: Connection, merchant_id: str, before_at: datetime, limit: int
) -> datetime | None:
    """The instant of the event that is `limit` events before an instant; None when there are fewer."""
    cursor = await connection.execute(
        """
        SELECT happened_at FROM event WHERE merchant_id = %s AND happened_at < %s
        ORDER BY happened_at DESC OFFSET %s LIMIT 1
        """,
        [merchant_id, before_at, limit],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def estimate_events(connection: Connection, merchant_id: str, reading: EventSql) -> int:
    """How many events the metric reads, as the planner believes."""
    cursor = await connection.execute(
        f"""
        EXPLAIN (FORMAT JSON) SELECT FROM event
        WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s) AND {reading.condition}
        """,
        _parameters(merchant_id, "", reading),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0][0]["Plan"]["Plan Rows"])


async def fill_rollups(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    reading: EventSql,
    span: Interval,
    *,
    distinct: bool,
) -> int:
    """Makes a metric's rollups of a span of whole quarter-hours anew from its events; answers how many events.

    Its groups must have their places (`group_store.add_groups_of_events`).
    A metric that tells values apart reads no event without one. What flushes added there meanwhile is written over: it
    is in the events, too.
    """
    has_value: LiteralString = f"AND ({reading.distinct}) IS NOT NULL" if distinct else ""
    value_time: LiteralString = f"sum(measured * {_INTO_BUCKET})" if reading.weighs_time else "0"
    cursor = await connection.execute(
        f"""
        WITH made AS (
            INSERT INTO usage_rollup
                (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at,
                 event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
            SELECT %(merchant_id)s, customer_id, %(metric_id)s, user_id, dimension, bucket_at,
                   count(*), sum(measured), min(measured), max(measured), max(happened_at),
                   (array_agg(key_hash ORDER BY happened_at DESC, key_hash DESC))[1],
                   (array_agg(measured ORDER BY happened_at DESC, key_hash DESC))[1], {value_time}
            FROM (
                SELECT event.customer_id, whose.user_id, grouped.dimension, happened_at, key_hash,
                       date_bin('15 minutes', happened_at, 'epoch') AS bucket_at, {reading.value} AS measured
                FROM event
                CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
                CROSS JOIN LATERAL {_dimensions(reading)}
                WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
                  AND happened_at >= %(start_at)s AND happened_at < %(end_at)s
                  AND whose.user_id IS NOT NULL AND {reading.condition} {has_value}
            ) AS read
            GROUP BY customer_id, user_id, dimension, bucket_at
            ON CONFLICT (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at) DO UPDATE SET
                event_count = excluded.event_count,
                value_sum = excluded.value_sum,
                value_min = excluded.value_min,
                value_max = excluded.value_max,
                last_at = excluded.last_at,
                last_key = excluded.last_key,
                last_value = excluded.last_value,
                value_time = excluded.value_time
            RETURNING user_id, dimension, event_count
        )
        SELECT coalesce(sum(event_count) FILTER (WHERE user_id = '' AND dimension = ''), 0) FROM made
        """,
        {
            **_parameters(merchant_id, metric_id, reading),
            "start_at": span.start_at,
            "end_at": span.end_at,
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def fill_distinct_values(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql, span: Interval
) -> None:
    """Adds a metric's distinct values of a span of whole quarter-hours; those that are there stay."""
    await connection.execute(
        f"""
        INSERT INTO usage_distinct
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
        SELECT DISTINCT %(merchant_id)s, event.customer_id, %(metric_id)s, whose.user_id, grouped.dimension,
               date_bin('15 minutes', happened_at, 'epoch'), {reading.distinct}
        FROM event
        CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
        CROSS JOIN LATERAL {_dimensions(reading)}
        WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
          AND happened_at >= %(start_at)s AND happened_at < %(end_at)s
          AND whose.user_id IS NOT NULL AND {reading.condition} AND ({reading.distinct}) IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        {
            **_parameters(merchant_id, metric_id, reading),
            "start_at": span.start_at,
            "end_at": span.end_at,
        },
    )


_INTO_BUCKET: LiteralString = (
    "(extract(epoch FROM happened_at) - extract(epoch FROM bucket_at)) * 1000000"
)


def _dimensions(reading: EventSql) -> LiteralString:
    """Which dimensions an event counts in: all groups, and its own."""
    if not reading.dimension:
        return "(VALUES ('')) AS grouped (dimension)"
    return f"""(
        SELECT '' UNION ALL
        SELECT coalesce((
            SELECT known.dimension FROM usage_group AS known
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = event.customer_id
              AND known.metric_id = %(metric_id)s AND known.dimension = {reading.dimension}), '*')
        ) AS grouped (dimension)"""


def _parameters(merchant_id: str, metric_id: str, reading: EventSql) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id,
        "metric_id": metric_id,
        "event_names": list(reading.event_names),
        **reading.parameters,
    }


def _fill_from_values(values: Sequence[Any]) -> MetricFill:
    (
        fill_id,
        metric_id,
        status,
        start_at,
        end_at,
        filled_from_at,
        read_count,
        estimated_count,
        failure,
    ) = values[:9]
    started_at, finished_at = values[9:]
    return MetricFill(
        id=fill_id,
        metric_id=metric_id,
        status=_STATUSES[status],
        window=Interval(start_at, end_at) if start_at else None,
        filled_from_at=filled_from_at,
        read_count=read_count,
        estimated_count=estimated_count,
        failure=failure,
        started_at=started_at,
        finished_at=finished_at,
    )
