"""Every SQL text over all customers' quarter-hours of an indexed SQL metric; nothing here decides (EVT-6, EVT-8).

All run as candela_events, which no tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .everyone_store import CUSTOMERS
from .rules.metric_reading import EventSql
from .rules.sql_metric_binding import PLACES
from .sql_store import Combining


async def list_customers(
    connection: Connection, merchant_id: str, reading: EventSql, span: Interval, *, limit: int
) -> list[str]:
    """Customers with events in a span that a metric may read, at most `limit`."""
    cursor = await connection.execute(
        f"""
        SELECT DISTINCT customer_id FROM counted_event AS event
        WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
          AND happened_at >= %(start_at)s AND happened_at < %(end_at)s AND {reading.condition}
        ORDER BY customer_id LIMIT %(limit)s
        """,
        {
            "merchant_id": merchant_id,
            "event_names": list(reading.event_names),
            "start_at": span.start_at,
            "end_at": span.end_at,
            "limit": limit,
            **reading.parameters,
        },
    )
    return [row[0] for row in await cursor.fetchall()]


async def list_stale_buckets(
    connection: Connection, merchant_id: str, metric_id: str, span: Interval
) -> list[tuple[str, datetime, int]]:
    """The quarter-hours of a span that must be measured, by customer and in order, each with its revision."""
    cursor = await connection.execute(
        f"""
        {CUSTOMERS.format(table="sql_bucket")}
        SELECT kept.customer_id, kept.bucket_at, kept.revision
        FROM {_KEPT} AND kept.measured IS DISTINCT FROM kept.revision
        ORDER BY kept.customer_id, kept.bucket_at
        """,
        _parameters(merchant_id, metric_id, span),
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def read_buckets(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    span: Interval | None,
    function: Combining,
    others: Sequence[Decimal],
) -> Decimal | None:
    """The sum, least or largest of a span's measured quarter-hours and of `others`, to PLACES places."""
    cursor = await connection.execute(
        f"""
        {CUSTOMERS.format(table="sql_bucket")}
        SELECT round({function}(value), {PLACES}) FROM (
            SELECT kept.value FROM {_KEPT} AND kept.measured = kept.revision
            UNION ALL SELECT unnest(%(others)s::numeric[])
        ) AS found
        """,
        {**_parameters(merchant_id, metric_id, span), "others": list(others)},
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0] if row[0] is None else Decimal(row[0])


async def count_members(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    span: Interval | None,
    others: Sequence[str],
) -> int:
    """How many distinct values the measured quarter-hours of a span and `others` have together."""
    cursor = await connection.execute(
        f"""
        {CUSTOMERS.format(table="sql_bucket")}
        SELECT count(DISTINCT member COLLATE "C") FROM (
            SELECT unnest(kept.members) AS member FROM {_KEPT} AND kept.measured = kept.revision
            UNION ALL SELECT unnest(%(others)s::text[])
        ) AS found
        """,
        {**_parameters(merchant_id, metric_id, span), "others": list(others)},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


_KEPT: LiteralString = """
    whose
    JOIN sql_bucket AS kept
      ON kept.merchant_id = %(merchant_id)s AND kept.customer_id = whose.customer_id
     AND kept.metric_id = %(metric_id)s AND kept.user_id = ''
     AND kept.bucket_at >= %(start_at)s AND kept.bucket_at < %(end_at)s
    WHERE whose.customer_id IS NOT NULL
"""


def _parameters(merchant_id: str, metric_id: str, span: Interval | None) -> dict[str, Any]:
    return {
        "merchant_id": merchant_id,
        "metric_id": metric_id,
        # Without a span nothing is read.
        "start_at": span.start_at if span else None,
        "end_at": span.end_at if span else None,
    }
