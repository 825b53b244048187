"""Every SQL text that reads usage: rollups for whole quarter-hours, raw events for cut ones. Nothing here decides.

All run as candela_events, which no tenant's wall holds back, so all name merchant_id. Each takes many spans at once,
as arrays, and answers in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .model import Tally
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import EventSql


@dataclass(frozen=True, slots=True)
class Part:
    """One customer's or user's usage of one metric between two instants; `user_id` "" is the whole customer."""

    customer_id: str
    metric_id: str
    user_id: str
    start_at: datetime
    end_at: datetime


async def read_rollups(
    connection: Connection, merchant_id: str, parts: Sequence[Part], *, last: bool
) -> list[Tally]:
    """What the rollups of each part, whole quarter-hours, add up to; the latest value only when asked for it."""
    cursor = await connection.execute(
        _WITH_LAST if last else _ROLLUPS,
        {"merchant_id": merchant_id, **_columns(parts)},
    )
    return [_tally_from_row(row) for row in await cursor.fetchall()]


async def read_events(
    connection: Connection,
    merchant_id: str,
    parts: Sequence[Part],
    reading: EventSql,
    *,
    last: bool,
) -> list[Tally]:
    """What the raw events of each part, all of one metric, add up to."""
    latest: LiteralString = (
        f"""
        max(happened_at) AS last_at,
        (array_agg(uuid_send(key_hash) ORDER BY happened_at DESC, key_hash DESC))[1] AS last_key,
        (array_agg({reading.value} ORDER BY happened_at DESC, key_hash DESC))[1] AS last_value
        """
        if last
        else "NULL::timestamptz AS last_at, NULL::bytea AS last_key, NULL::numeric AS last_value"
    )
    cursor = await connection.execute(
        f"""
        SELECT found.*
        FROM unnest(%(customer_ids)s::text[], %(user_ids)s::text[], %(starts)s::timestamptz[],
                    %(ends)s::timestamptz[])
             WITH ORDINALITY AS part (customer_id, user_id, start_at, end_at, number)
        CROSS JOIN LATERAL (
            SELECT count(*) AS event_count, coalesce(sum({reading.value}), 0) AS value_sum,
                   min({reading.value}) AS value_min, max({reading.value}) AS value_max, {latest}
            FROM counted_event AS event
            WHERE merchant_id = %(merchant_id)s AND customer_id = part.customer_id
              AND name = ANY(%(event_names)s)
              AND happened_at >= part.start_at AND happened_at < part.end_at
              AND (part.user_id = '' OR user_id = part.user_id)
              AND {reading.condition}
        ) AS found
        ORDER BY part.number
        """,
        {
            "merchant_id": merchant_id,
            "event_names": list(reading.event_names),
            **reading.parameters,
            **_columns(parts),
        },
    )
    return [_tally_from_row(row) for row in await cursor.fetchall()]


async def count_distinct(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    parts: Sequence[Sequence[Part]],
    edges: Sequence[Sequence[Part]],
    reading: EventSql,
) -> list[int]:
    """How many distinct values each window saw: `parts` are its whole quarter-hours, `edges` what is cut off."""
    whole = [(number, part) for number, some in enumerate(parts) for part in some]
    cut = [(number, part) for number, some in enumerate(edges) for part in some]
    cursor = await connection.execute(
        f"""
        WITH seen AS (
            SELECT part.number, kept.value
            FROM unnest(%(whole_numbers)s::integer[], %(whole_customers)s::text[], %(whole_users)s::text[],
                        %(whole_starts)s::timestamptz[], %(whole_ends)s::timestamptz[])
                 AS part (number, customer_id, user_id, start_at, end_at)
            JOIN usage_distinct AS kept
              ON kept.merchant_id = %(merchant_id)s AND kept.customer_id = part.customer_id
             AND kept.metric_id = %(metric_id)s AND kept.user_id = part.user_id AND kept.dimension = ''
             AND kept.bucket_at >= part.start_at AND kept.bucket_at < part.end_at
            UNION
            SELECT part.number, {reading.distinct}
            FROM unnest(%(cut_numbers)s::integer[], %(cut_customers)s::text[], %(cut_users)s::text[],
                        %(cut_starts)s::timestamptz[], %(cut_ends)s::timestamptz[])
                 AS part (number, customer_id, user_id, start_at, end_at)
            JOIN counted_event AS event
              ON merchant_id = %(merchant_id)s AND event.customer_id = part.customer_id
             AND name = ANY(%(event_names)s)
             AND happened_at >= part.start_at AND happened_at < part.end_at
             AND (part.user_id = '' OR event.user_id = part.user_id)
            WHERE {reading.condition} AND ({reading.distinct}) IS NOT NULL
        )
        SELECT number, count(*) FROM seen GROUP BY number
        """,
        {
            "merchant_id": merchant_id,
            "metric_id": metric_id,
            "event_names": list(reading.event_names),
            **reading.parameters,
            **_numbered("whole", whole),
            **_numbered("cut", cut),
        },
    )
    counts: dict[int, int] = {row[0]: row[1] for row in await cursor.fetchall()}
    return [counts.get(number, 0) for number in range(len(parts))]


async def count_events(
    connection: Connection,
    merchant_id: str,
    customer_id: str,
    names: Sequence[str],
    window: Interval,
    *,
    limit: int,
) -> int:
    """How many of the customer's events with one of these names lie in a window, counted up to `limit`."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM counted_event
            WHERE merchant_id = %s AND customer_id = %s AND name = ANY(%s)
              AND happened_at >= %s AND happened_at < %s
            LIMIT %s
        ) AS counted
        """,
        [merchant_id, customer_id, list(names), window.start_at, window.end_at, limit],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def list_recorded_keys(
    connection: Connection, key_hashes: Sequence[bytes], oldest_month: date
) -> list[bytes]:
    """Those of the keys whose events are durable."""
    if not key_hashes:
        return []
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        """
        SELECT uuid_send(key_hash) FROM event_key
        WHERE key_hash = ANY(%s) AND claim_month >= %s
        """,
        [[UUID(bytes=one) for one in key_hashes], oldest_month],
    )
    return [row[0] for row in await cursor.fetchall()]


async def read_vector(connection: Connection, since: datetime) -> str:
    """Up to which flush of each writer this snapshot sees, for writers that flushed since then."""
    cursor = await connection.execute(
        "SELECT number, sequence FROM event_writer WHERE sequence > 0 AND flushed_at >= %s",
        [since],
    )
    return "".join([f",{row[0]}={row[1]}" for row in await cursor.fetchall()])


_ROLLUPS: LiteralString = """
    SELECT found.*
    FROM unnest(%(customer_ids)s::text[], %(metric_ids)s::text[], %(user_ids)s::text[],
                %(starts)s::timestamptz[], %(ends)s::timestamptz[])
         WITH ORDINALITY AS part (customer_id, metric_id, user_id, start_at, end_at, number)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(event_count), 0) AS event_count, coalesce(sum(value_sum), 0) AS value_sum,
               min(value_min) AS value_min, max(value_max) AS value_max,
               NULL::timestamptz AS last_at, NULL::bytea AS last_key, NULL::numeric AS last_value
        FROM usage_rollup
        WHERE merchant_id = %(merchant_id)s AND customer_id = part.customer_id
          AND metric_id = part.metric_id AND user_id = part.user_id AND dimension = ''
          AND bucket_at >= part.start_at AND bucket_at < part.end_at
    ) AS found
    ORDER BY part.number
"""

# The latest event is in the latest quarter-hour that has any: one step down the index, or one for each of its layers.
_WITH_LAST: LiteralString = """
    SELECT coalesce(event_count, 0), coalesce(value_sum, 0), value_min, value_max, last_at,
           uuid_send(last_key), last_value
    FROM unnest(%(customer_ids)s::text[], %(metric_ids)s::text[], %(user_ids)s::text[],
                %(starts)s::timestamptz[], %(ends)s::timestamptz[])
         WITH ORDINALITY AS part (customer_id, metric_id, user_id, start_at, end_at, number)
    LEFT JOIN LATERAL (
        SELECT event_count, value_sum, value_min, value_max, last_at, last_key, last_value
        FROM usage_rollup
        WHERE merchant_id = %(merchant_id)s AND customer_id = part.customer_id
          AND metric_id = part.metric_id AND user_id = part.user_id AND dimension = ''
          AND bucket_at >= part.start_at AND bucket_at < part.end_at
        ORDER BY bucket_at DESC, last_at DESC, last_key DESC LIMIT 1
    ) AS found ON true
    ORDER BY part.number
"""


def _columns(parts: Sequence[Part]) -> dict[str, list[Any]]:
    return {
        "customer_ids": [part.customer_id for part in parts],
        "metric_ids": [part.metric_id for part in parts],
        "user_ids": [part.user_id for part in parts],
        "starts": [part.start_at for part in parts],
        "ends": [part.end_at for part in parts],
    }


def _numbered(prefix: str, parts: Sequence[tuple[int, Part]]) -> dict[str, list[Any]]:
    return {
        f"{prefix}_numbers": [number for number, _ in parts],
        f"{prefix}_customers": [part.customer_id for _, part in parts],
        f"{prefix}_users": [part.user_id or WHOLE_CUSTOMER for _, part in parts],
        f"{prefix}_starts": [part.start_at for _, part in parts],
        f"{prefix}_ends": [part.end_at for _, part in parts],
    }


def _tally_from_row(row: Sequence[Any]) -> Tally:
    count, total, least, most, last_at, last_key, last_value = row
    return Tally(
        count=int(count),
        sum=Decimal(total),
        min=least,
        max=most,
        last_at=last_at,
        last_key=bytes(last_key) if last_key is not None else b"",
        last_value=last_value,
        distinct_count=0,
    )
