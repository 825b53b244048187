"""Every SQL text that makes rollups from the events themselves, for a metric that is younger than they are (EVT-10).

What is made is what flushes would have made, to the last digit. All run as candela_events, which no tenant's wall holds
back, so all name merchant_id.
"""

from __future__ import annotations

from typing import Any, LiteralString

from candela_server.storage.events import Connection

from .rules.group import MAX_GROUPS
from .rules.metric_reading import EventSql

_MICROSECONDS_INTO_BUCKET: LiteralString = (
    "(extract(epoch FROM happened_at) - extract(epoch FROM bucket_at)) * 1000000"
)


async def fill_groups(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql
) -> None:
    """Gives the groups of all events their places, by their first events; groups that have one keep it."""
    await connection.execute(
        f"""
        INSERT INTO usage_group (merchant_id, customer_id, metric_id, dimension, group_values)
        SELECT %(merchant_id)s, found.customer_id, %(metric_id)s, found.dimension, found.group_values
        FROM (
            SELECT seen.*, row_number() OVER (PARTITION BY customer_id ORDER BY first_at, dimension) AS place
            FROM (
                SELECT whose.customer_id, {reading.dimension} AS dimension,
                       to_jsonb({reading.group}) AS group_values, min(happened_at) AS first_at
                FROM event CROSS JOIN LATERAL {_whose(reading)}
                WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s) AND {reading.condition}
                  AND whose.user_id = ''
                GROUP BY 1, 2, 3
            ) AS seen
            WHERE NOT EXISTS (
                SELECT FROM usage_group AS known
                WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = seen.customer_id
                  AND known.metric_id = %(metric_id)s AND known.dimension = seen.dimension)
        ) AS found
        WHERE found.place + (
            SELECT count(*) FROM usage_group AS known
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = found.customer_id
              AND known.metric_id = %(metric_id)s) <= {MAX_GROUPS}
        """,
        _parameters(merchant_id, metric_id, reading),
    )


async def fill_rollups(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql
) -> None:
    """Makes a metric's rollups anew from all events; its groups must have their places."""
    parameters = _parameters(merchant_id, metric_id, reading)
    await connection.execute(
        "DELETE FROM usage_rollup WHERE merchant_id = %(merchant_id)s AND metric_id = %(metric_id)s",
        parameters,
    )
    value_time = f"sum(measured * {_MICROSECONDS_INTO_BUCKET})" if reading.weighs_time else "0"
    await connection.execute(
        f"""
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
            CROSS JOIN LATERAL {_dimensions(reading, "event.customer_id")}
            WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
              AND whose.user_id IS NOT NULL AND {reading.condition}
        ) AS read
        GROUP BY customer_id, user_id, dimension, bucket_at
        """,
        parameters,
    )


async def fill_distinct_values(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql
) -> None:
    """Adds the distinct values of all events; those that are there stay."""
    await connection.execute(
        f"""
        INSERT INTO usage_distinct
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
        SELECT DISTINCT %(merchant_id)s, whose.customer_id, %(metric_id)s, whose.user_id, grouped.dimension,
               date_bin('15 minutes', happened_at, 'epoch'), {reading.distinct}
        FROM event
        CROSS JOIN LATERAL {_whose(reading)}
        CROSS JOIN LATERAL {_dimensions(reading, "whose.customer_id")}
        WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
          AND whose.user_id IS NOT NULL AND {reading.condition} AND ({reading.distinct}) IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        _parameters(merchant_id, metric_id, reading),
    )


def _whose(reading: EventSql) -> LiteralString:
    """Whose usage an event is: the customer's, its user's, and where customers are counted, the merchant's."""
    merchants: LiteralString = ", ('', '')" if reading.spans_customers else ""
    return (
        f"(VALUES (event.customer_id, ''), (event.customer_id, event.user_id){merchants}) "
        "AS whose (customer_id, user_id)"
    )


def _dimensions(reading: EventSql, customer_id: LiteralString) -> LiteralString:
    """Which dimensions an event counts in: all groups, and its own."""
    if not reading.dimension:
        return "(VALUES ('')) AS grouped (dimension)"
    return f"""(
        SELECT '' UNION ALL
        SELECT coalesce((
            SELECT known.dimension FROM usage_group AS known
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = {customer_id}
              AND known.metric_id = %(metric_id)s AND known.dimension = {reading.dimension}), '*')
        ) AS grouped (dimension)"""


def _parameters(merchant_id: str, metric_id: str, reading: EventSql) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id,
        "metric_id": metric_id,
        "event_names": list(reading.event_names),
        **reading.parameters,
    }
