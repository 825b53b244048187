"""Every SQL text that reads what indexed SQL metrics keep, for many asks at once; nothing here decides (EVT-6).

Runs as candela_events, which no tenant's wall holds back, so it names merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .rules.sql_metric_binding import PLACES
from .sql_store import Combining


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """The quarter-hours of one ask: `whole` are added up, and `around` is `whole` with those that the window cuts."""

    customer_id: str
    metric_id: str
    user_id: str
    whole: Interval
    around: Interval
    combining: Combining | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNumber:
    """What is kept of a part; `lacking` says that some of it has to be measured first."""

    lacking: bool
    value: Decimal | None


async def read_kept(
    connection: Connection, merchant_id: str, parts: Sequence[KeptPart]
) -> list[KeptNumber]:
    """What is kept of each part, in order. A part without a `combining` counts distinct values."""
    cursor = await connection.execute(
        f"""
        SELECT asked.number, found.lacking, found.total, found.least, found.largest, found.members
        FROM unnest(%(customers)s::text[], %(metrics)s::text[], %(users)s::text[],
                    %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                    %(around_starts)s::timestamptz[], %(around_ends)s::timestamptz[], %(distinct)s::boolean[])
             WITH ORDINALITY AS asked (customer_id, metric_id, user_id, start_at, end_at,
                                       around_start_at, around_end_at, is_distinct, number)
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(measured IS DISTINCT FROM revision
                                    OR bucket_at < asked.start_at OR bucket_at >= asked.end_at), false) AS lacking,
                   round(sum(value), {PLACES}) AS total, round(min(value), {PLACES}) AS least,
                   round(max(value), {PLACES}) AS largest,
                   CASE WHEN asked.is_distinct THEN (
                       SELECT count(DISTINCT member COLLATE "C")
                       FROM sql_bucket AS known CROSS JOIN unnest(known.members) AS member
                       WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = asked.customer_id
                         AND known.metric_id = asked.metric_id AND known.user_id = asked.user_id
                         AND known.bucket_at >= asked.start_at AND known.bucket_at < asked.end_at
                   ) END AS members
            FROM sql_bucket
            WHERE merchant_id = %(merchant_id)s AND customer_id = asked.customer_id
              AND metric_id = asked.metric_id AND user_id = asked.user_id
              AND bucket_at >= asked.around_start_at AND bucket_at < asked.around_end_at
        ) AS found
        ORDER BY asked.number
        """,
        {
            "merchant_id": merchant_id,
            "customers": [one.customer_id for one in parts],
            "metrics": [one.metric_id for one in parts],
            "users": [one.user_id for one in parts],
            "starts": [one.whole.start_at for one in parts],
            "ends": [one.whole.end_at for one in parts],
            "around_starts": [one.around.start_at for one in parts],
            "around_ends": [one.around.end_at for one in parts],
            "distinct": [one.combining is None for one in parts],
        },
    )
    rows = await cursor.fetchall()
    return [
        KeptNumber(lacking=row[1], value=_value(one, row))
        for one, row in zip(parts, rows, strict=True)
    ]


def _value(part: KeptPart, row: tuple[object, ...]) -> Decimal | None:
    found = row[{"sum": 2, "min": 3, "max": 4, None: 5}[part.combining]]
    return None if found is None else Decimal(str(found))
