"""The SQL that makes rollups anew from the events that count, quarter-hour by quarter-hour; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from .event_statements import WritingStatements
from .rules.correction import Scope
from .rules.metric_reading import EventSql


async def recount_rollups(
    statements: WritingStatements, metric_id: str, scopes: Sequence[Scope], reading: EventSql
) -> None:
    """Makes these rollups of a metric anew from the events that count."""
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
    await statements.execute(
        f"""
        INSERT INTO usage_rollup
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at,
             event_count, value_sum, value_min, value_max, last_at, last_key, last_value)
        SELECT %(merchant_id)s::text, touched.customer_id, %(metric_id)s::text, found.user_id, '', touched.bucket_at,
               found.event_count, found.value_sum, found.value_min, found.value_max, found.last_at,
               found.last_key, found.last_value
        FROM ({_TOUCHED}) AS touched
        CROSS JOIN LATERAL (
            SELECT whose.user_id, count(*) AS event_count, sum(value) AS value_sum, min(value) AS value_min,
                   max(value) AS value_max, max(happened_at) AS last_at,
                   (array_agg(key_hash ORDER BY happened_at DESC, key_hash DESC))[1] AS last_key,
                   (array_agg(value ORDER BY happened_at DESC, key_hash DESC))[1] AS last_value
            FROM counted_event AS event CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
            WHERE merchant_id = %(merchant_id)s AND event.customer_id = touched.customer_id
              AND name = ANY(%(event_names)s::text[])
              AND happened_at >= touched.bucket_at AND happened_at < touched.bucket_at + interval '15 minutes'
              AND whose.user_id IS NOT NULL AND {reading.condition}
            GROUP BY whose.user_id
        ) AS found
        WHERE found.user_id = ANY(touched.user_ids)
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
        SELECT %(merchant_id)s::text, touched.customer_id, %(metric_id)s::text, found.user_id, '', touched.bucket_at,
               found.value
        FROM ({_TOUCHED}) AS touched
        CROSS JOIN LATERAL (
            SELECT DISTINCT whose.user_id, {reading.distinct} AS value
            FROM counted_event AS event CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
            WHERE merchant_id = %(merchant_id)s AND event.customer_id = touched.customer_id
              AND name = ANY(%(event_names)s::text[])
              AND happened_at >= touched.bucket_at AND happened_at < touched.bucket_at + interval '15 minutes'
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
