"""The SQL that makes rollups anew from the events that count, quarter-hour by quarter-hour; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from .event_statements import WritingStatements
from .group_store import adding_groups, dimensions_of
from .rules.correction import Scope
from .rules.metric_reading import EventSql
from .weight_store import MICROSECONDS_INTO_BUCKET


async def add_groups(
    statements: WritingStatements, metric_id: str, scopes: Sequence[Scope], reading: EventSql
) -> None:
    """Gives the groups of the events in these quarter-hours a place, before they are counted; flushes are held."""
    await statements.execute(
        adding_groups(
            reading,
            f"({_TOUCHED}) AS touched CROSS JOIN counted_event AS event WHERE {_IN_TOUCHED}",
        ),
        _recount_parameters(statements, metric_id, scopes, reading),
    )


async def recount_rollups(
    statements: WritingStatements,
    metric_id: str,
    scopes: Sequence[Scope],
    reading: EventSql,
    *,
    distinct: bool,
) -> None:
    """Makes these rollups of a metric anew from the events that count.

    A metric that tells values apart reads no event without one.
    """
    parameters = _recount_parameters(statements, metric_id, scopes, reading)
    await statements.execute(
        """
        DELETE FROM usage_rollup AS known
        USING unnest(%(customers)s::text[], %(users)s::text[], %(buckets)s::timestamptz[])
              AS touched (customer_id, user_id, bucket_at)
        WHERE known.merchant_id = %(merchant_id)s AND known.metric_id = %(metric_id)s
          AND known.customer_id = touched.customer_id AND known.user_id = touched.user_id
          AND known.bucket_at = touched.bucket_at
        """,
        parameters,
    )
    has_value: LiteralString = f"AND ({reading.distinct}) IS NOT NULL" if distinct else ""
    value_time: LiteralString = (
        f"sum(measured * {MICROSECONDS_INTO_BUCKET})" if reading.weighs_time else "0"
    )
    await statements.execute(
        f"""
        INSERT INTO usage_rollup
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at,
             event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
        SELECT %(merchant_id)s::text, customer_id, %(metric_id)s::text, user_id, dimension, bucket_at,
               count(*), sum(measured), min(measured), max(measured), max(happened_at),
               (array_agg(key_hash ORDER BY happened_at DESC, key_hash DESC))[1],
               (array_agg(measured ORDER BY happened_at DESC, key_hash DESC))[1], {value_time}
        FROM ({_TOUCHED}) AS touched
        CROSS JOIN LATERAL (
            SELECT whose.user_id, grouped.dimension, happened_at, key_hash, {reading.value} AS measured
            FROM counted_event AS event
            CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
            CROSS JOIN LATERAL {dimensions_of(reading)}
            WHERE {_IN_TOUCHED}
              AND whose.user_id IS NOT NULL AND {reading.condition} {has_value}
        ) AS found
        WHERE found.user_id = ANY(touched.user_ids)
        GROUP BY customer_id, user_id, dimension, bucket_at
        """,
        parameters,
    )


async def recount_distinct_values(
    statements: WritingStatements, metric_id: str, scopes: Sequence[Scope], reading: EventSql
) -> None:
    """Makes the distinct values of a metric in these quarter-hours anew from the events that count."""
    parameters = _recount_parameters(statements, metric_id, scopes, reading)
    await statements.execute(
        """
        DELETE FROM usage_distinct AS known
        USING unnest(%(customers)s::text[], %(users)s::text[], %(buckets)s::timestamptz[])
              AS touched (customer_id, user_id, bucket_at)
        WHERE known.merchant_id = %(merchant_id)s AND known.metric_id = %(metric_id)s
          AND known.customer_id = touched.customer_id AND known.user_id = touched.user_id
          AND known.bucket_at = touched.bucket_at
        """,
        parameters,
    )
    await statements.execute(
        f"""
        INSERT INTO usage_distinct
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
        SELECT %(merchant_id)s::text, touched.customer_id, %(metric_id)s::text, found.user_id, found.dimension,
               touched.bucket_at, found.value
        FROM ({_TOUCHED}) AS touched
        CROSS JOIN LATERAL (
            SELECT DISTINCT whose.user_id, grouped.dimension, {reading.distinct} AS value
            FROM counted_event AS event
            CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
            CROSS JOIN LATERAL {dimensions_of(reading)}
            WHERE {_IN_TOUCHED}
              AND whose.user_id IS NOT NULL AND {reading.condition}
        ) AS found
        WHERE found.value IS NOT NULL AND found.user_id = ANY(touched.user_ids)
        """,
        parameters,
    )


# Quarter-hours by customer, so that each is read once, and which users' rollups of it are made anew.
_TOUCHED: Final[LiteralString] = """
    SELECT customer_id, bucket_at, array_agg(user_id) AS user_ids
    FROM unnest(%(customers)s::text[], %(users)s::text[], %(buckets)s::timestamptz[])
         AS scope (customer_id, user_id, bucket_at)
    GROUP BY customer_id, bucket_at
"""


_IN_TOUCHED: Final[LiteralString] = """
    event.merchant_id = %(merchant_id)s AND event.customer_id = touched.customer_id
    AND event.name = ANY(%(event_names)s::text[])
    AND event.happened_at >= touched.bucket_at AND event.happened_at < touched.bucket_at + interval '15 minutes'
"""


def _recount_parameters(
    statements: WritingStatements, metric_id: str, scopes: Sequence[Scope], reading: EventSql
) -> dict[str, Any]:
    return {
        "merchant_id": statements.merchant_id,
        "metric_id": metric_id,
        "customers": [customer_id for customer_id, _, _ in scopes],
        "users": [user_id for _, user_id, _ in scopes],
        "buckets": [bucket_at for _, _, bucket_at in scopes],
        "event_names": list(reading.event_names),
        **reading.parameters,
    }
