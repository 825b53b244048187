"""Every SQL text that reads what indexed SQL metrics keep, for many asks at once; nothing here decides (EVT-6).

Runs as candela_events, which no tenant's wall holds back, so it names merchant_id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .kept_edges import MeasuredEdge
from .rules.sql_metric_binding import PLACES
from .sql_store import Combining


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """The quarter-hours of one ask: `whole` are added up, and `around` is `whole` with those that the window cuts.

    What its ends measured is in `first` and `last`, where that is known; it stands while nothing changes there.
    """

    customer_id: str
    metric_id: str
    user_id: str
    whole: Interval
    around: Interval
    combining: Combining | None
    first: MeasuredEdge | None = None
    last: MeasuredEdge | None = None

    @property
    def edge_members(self) -> list[str]:
        """The distinct values of both ends."""
        return [
            member for one in (self.first, self.last) if one is not None for member in one.members
        ]


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
                    %(around_starts)s::timestamptz[], %(around_ends)s::timestamptz[], %(distinct)s::boolean[],
                    %(first_revisions)s::bigint[], %(first_values)s::numeric[],
                    %(last_revisions)s::bigint[], %(last_values)s::numeric[], %(edge_members)s::jsonb[])
             WITH ORDINALITY AS asked (customer_id, metric_id, user_id, start_at, end_at,
                                       around_start_at, around_end_at, is_distinct,
                                       first_revision, first_value, last_revision, last_value, edge_members, number)
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(part.known IS DISTINCT FROM known.revision), false) AS lacking,
                   round(sum(part.value), {PLACES}) AS total, round(min(part.value), {PLACES}) AS least,
                   round(max(part.value), {PLACES}) AS largest,
                   CASE WHEN asked.is_distinct THEN (
                       SELECT count(DISTINCT member COLLATE "C") FROM (
                           SELECT unnest(known.members) AS member
                           FROM sql_bucket AS known
                           WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = asked.customer_id
                             AND known.metric_id = asked.metric_id AND known.user_id = asked.user_id
                             AND known.bucket_at >= asked.start_at AND known.bucket_at < asked.end_at
                           UNION ALL SELECT jsonb_array_elements_text(asked.edge_members)
                       ) AS seen
                   ) END AS members
            FROM sql_bucket AS known
            CROSS JOIN LATERAL (
                SELECT CASE WHEN known.bucket_at < asked.start_at THEN asked.first_revision
                            WHEN known.bucket_at >= asked.end_at THEN asked.last_revision
                            ELSE known.measured END AS known,
                       CASE WHEN known.bucket_at < asked.start_at THEN asked.first_value
                            WHEN known.bucket_at >= asked.end_at THEN asked.last_value
                            ELSE known.value END AS value
            ) AS part
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = asked.customer_id
              AND known.metric_id = asked.metric_id AND known.user_id = asked.user_id
              AND known.bucket_at >= asked.around_start_at AND known.bucket_at < asked.around_end_at
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
            "first_revisions": [one.first.revision if one.first else None for one in parts],
            "first_values": [one.first.value if one.first else None for one in parts],
            "last_revisions": [one.last.revision if one.last else None for one in parts],
            "last_values": [one.last.value if one.last else None for one in parts],
            "edge_members": [json.dumps(one.edge_members) for one in parts],
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
