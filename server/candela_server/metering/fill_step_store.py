"""Every SQL text that reads history into a metric, step by step (EVT-10). Nothing here decides.

What is made is what flushes would have made, to the last digit. All run as candela_events, which no tenant's wall holds
back, so all name merchant_id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .group_store import dimensions_of
from .rules.metric_reading import EventSql
from .weight_store import MICROSECONDS_INTO_BUCKET


async def find_event_span(
    connection: Connection, merchant_id: str
) -> tuple[datetime, datetime] | None:
    """The instants of the merchant's first and last event; None when there is none."""
    # stored-events: quarter-hours in which nothing counts any more are made anew as well
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
    # stored-events: a step is bounded by what it has to look through
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
    # stored-events: an estimate
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
    value_time: LiteralString = (
        f"sum(measured * {MICROSECONDS_INTO_BUCKET})" if reading.weighs_time else "0"
    )
    parameters = {
        **_parameters(merchant_id, metric_id, reading),
        "start_at": span.start_at,
        "end_at": span.end_at,
    }
    await connection.execute(
        """
        DELETE FROM usage_rollup
        WHERE merchant_id = %(merchant_id)s AND metric_id = %(metric_id)s
          AND bucket_at >= %(start_at)s AND bucket_at < %(end_at)s AND layer > 0
        """,
        parameters,
    )
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
                FROM counted_event AS event
                CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
                CROSS JOIN LATERAL {dimensions_of(reading)}
                WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
                  AND happened_at >= %(start_at)s AND happened_at < %(end_at)s
                  AND whose.user_id IS NOT NULL AND {reading.condition} {has_value}
            ) AS read
            GROUP BY customer_id, user_id, dimension, bucket_at
            ON CONFLICT (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, layer) DO UPDATE SET
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
        parameters,
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
        FROM counted_event AS event
        CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
        CROSS JOIN LATERAL {dimensions_of(reading)}
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


def _parameters(merchant_id: str, metric_id: str, reading: EventSql) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id,
        "metric_id": metric_id,
        "event_names": list(reading.event_names),
        **reading.parameters,
    }
