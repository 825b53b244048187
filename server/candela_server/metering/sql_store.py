"""Every SQL text over the quarter-hours of indexed SQL metrics; nothing here decides (EVT-6).

All run as candela_events, which no tenant's wall holds back, so all name merchant_id. What runs a merchant's own query
is not here but in storage/sql_sandbox.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .event_statements import WritingStatements
from .rules.bucket import from_microseconds
from .rules.correction import Scope
from .rules.metric_reading import EventSql
from .rules.sql_metric_binding import PLACES
from .usage_store import Part

Combining: TypeAlias = Literal["sum", "min", "max"]
"""What makes one number of quarter-hours' numbers."""

MarkRow: TypeAlias = tuple[str, str, str, str, int]
"""merchant, customer, metric, user or "", start of the quarter-hour in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredBucket:
    """One quarter-hour, measured when it was at `revision`."""

    customer_id: str
    metric_id: str
    user_id: str
    bucket_at: datetime
    revision: int
    value: Decimal | None
    members: list[str] | None


async def mark_buckets(connection: Connection, rows: Sequence[MarkRow]) -> None:
    """Says that events of these quarter-hours changed; in the transaction that changes them, the rows sorted."""
    if not rows:
        return
    await connection.execute(
        """
        INSERT INTO sql_bucket AS known (merchant_id, customer_id, metric_id, user_id, bucket_at, revision)
        SELECT merchant_id, customer_id, metric_id, user_id, bucket_at, 1
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
             AS changed (merchant_id, customer_id, metric_id, user_id, bucket_at)
        ON CONFLICT (merchant_id, customer_id, metric_id, user_id, bucket_at)
        DO UPDATE SET revision = known.revision + 1
        """,
        [
            *([row[column] for row in rows] for column in range(4)),
            [from_microseconds(row[4]) for row in rows],
        ],
    )


async def mark_touched_buckets(
    statements: WritingStatements, metric_id: str, scopes: Sequence[Scope]
) -> None:
    """Says the same of what a correction touched, in its transaction, in which no flush of theirs runs (EVT-4)."""
    await statements.execute(
        """
        INSERT INTO sql_bucket AS known (merchant_id, customer_id, metric_id, user_id, bucket_at, revision)
        SELECT %(merchant_id)s::text, customer_id, %(metric_id)s::text, user_id, bucket_at, 1
        FROM unnest(%(customers)s::text[], %(users)s::text[], %(buckets)s::timestamptz[])
             AS touched (customer_id, user_id, bucket_at)
        ON CONFLICT (merchant_id, customer_id, metric_id, user_id, bucket_at)
        DO UPDATE SET revision = known.revision + 1
        """,
        {
            "merchant_id": statements.merchant_id,
            "metric_id": metric_id,
            "customers": [customer_id for customer_id, _, _ in scopes],
            "users": [user_id for _, user_id, _ in scopes],
            "buckets": [bucket_at for _, _, bucket_at in scopes],
        },
    )


async def mark_history(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql, span: Interval
) -> int:
    """Says the same of the events of a span of whole quarter-hours; answers how many there are (EVT-10).

    One step of a fill, while no flush of the merchant can run.
    """
    cursor = await connection.execute(
        f"""
        WITH found AS (
            SELECT event.customer_id, whose.user_id,
                   date_bin('15 minutes', happened_at, '1970-01-01T00:00:00Z') AS bucket_at, count(*) AS event_count
            FROM counted_event AS event CROSS JOIN LATERAL (VALUES (''), (event.user_id)) AS whose (user_id)
            WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
              AND happened_at >= %(start_at)s AND happened_at < %(end_at)s
              AND whose.user_id IS NOT NULL AND {reading.condition}
            GROUP BY 1, 2, 3
        ), marked AS (
            INSERT INTO sql_bucket AS known (merchant_id, customer_id, metric_id, user_id, bucket_at, revision)
            SELECT %(merchant_id)s, customer_id, %(metric_id)s, user_id, bucket_at, 1 FROM found
            ON CONFLICT (merchant_id, customer_id, metric_id, user_id, bucket_at)
            DO UPDATE SET revision = known.revision + 1
        )
        SELECT coalesce(sum(event_count) FILTER (WHERE user_id = ''), 0) FROM found
        """,
        {
            "merchant_id": merchant_id,
            "metric_id": metric_id,
            "event_names": list(reading.event_names),
            "start_at": span.start_at,
            "end_at": span.end_at,
            **reading.parameters,
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def list_stale_buckets(
    connection: Connection, merchant_id: str, part: Part
) -> list[tuple[datetime, int]]:
    """The quarter-hours of a part that must be measured, in order, each with its revision."""
    cursor = await connection.execute(
        f"""
        SELECT bucket_at, revision FROM sql_bucket
        WHERE merchant_id = %(merchant_id)s AND {_PART} AND measured IS DISTINCT FROM revision ORDER BY bucket_at
        """,
        _parameters(merchant_id, part),
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def find_revision(connection: Connection, merchant_id: str, part: Part) -> int | None:
    """The revision of a part that is one quarter-hour; None where nothing has happened in it."""
    cursor = await connection.execute(
        f"SELECT revision FROM sql_bucket WHERE merchant_id = %(merchant_id)s AND {_PART}",
        _parameters(merchant_id, part),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def read_buckets(
    connection: Connection,
    merchant_id: str,
    part: Part,
    function: Combining,
    others: Sequence[Decimal],
) -> Decimal | None:
    """The sum, least or largest of a part's measured quarter-hours and of `others`, to PLACES places."""
    cursor = await connection.execute(
        f"""
        SELECT round({function}(value), {PLACES}) FROM (
            SELECT value FROM sql_bucket WHERE merchant_id = %(merchant_id)s AND {_PART} AND measured = revision
            UNION ALL SELECT unnest(%(others)s::numeric[])
        ) AS found
        """,
        {**_parameters(merchant_id, part), "others": list(others)},
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0] if row[0] is None else Decimal(row[0])


async def count_members(
    connection: Connection, merchant_id: str, part: Part, others: Sequence[str]
) -> int:
    """How many distinct values the measured quarter-hours of a part and `others` have together."""
    cursor = await connection.execute(
        f"""
        SELECT count(DISTINCT member COLLATE "C") FROM (
            SELECT unnest(members) AS member FROM sql_bucket
            WHERE merchant_id = %(merchant_id)s AND {_PART} AND measured = revision
            UNION ALL SELECT unnest(%(others)s::text[])
        ) AS found
        """,
        {**_parameters(merchant_id, part), "others": list(others)},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def keep_buckets(
    connection: Connection, merchant_id: str, measured: Sequence[MeasuredBucket]
) -> None:
    """Keeps what was measured, where nothing changed since; a row that a flush holds is left for the next time."""
    await connection.execute(
        """
        WITH incoming AS (
            SELECT customer_id, metric_id, user_id, bucket_at, revision, value, members
            FROM unnest(%(customers)s::text[], %(metrics)s::text[], %(users)s::text[], %(buckets)s::timestamptz[],
                        %(revisions)s::bigint[], %(values)s::numeric[], %(members)s::jsonb[])
                 AS one (customer_id, metric_id, user_id, bucket_at, revision, value, members)
        ), held AS (
            SELECT known.customer_id, known.metric_id, known.user_id, known.bucket_at
            FROM sql_bucket AS known JOIN incoming USING (customer_id, metric_id, user_id, bucket_at, revision)
            WHERE known.merchant_id = %(merchant_id)s AND known.measured IS DISTINCT FROM known.revision
            FOR UPDATE OF known SKIP LOCKED
        )
        UPDATE sql_bucket AS known
        SET measured = incoming.revision, value = incoming.value,
            members = CASE WHEN incoming.members IS NOT NULL
                           THEN ARRAY(SELECT jsonb_array_elements_text(incoming.members)) END
        FROM incoming JOIN held USING (customer_id, metric_id, user_id, bucket_at)
        WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = held.customer_id
          AND known.metric_id = held.metric_id AND known.user_id = held.user_id
          AND known.bucket_at = held.bucket_at AND known.revision = incoming.revision
        """,
        {
            "merchant_id": merchant_id,
            "customers": [one.customer_id for one in measured],
            "metrics": [one.metric_id for one in measured],
            "users": [one.user_id for one in measured],
            "buckets": [one.bucket_at for one in measured],
            "revisions": [one.revision for one in measured],
            "values": [one.value for one in measured],
            "members": [
                None if one.members is None else json.dumps(one.members) for one in measured
            ],
        },
    )


_PART = """customer_id = %(customer_id)s AND metric_id = %(metric_id)s
          AND user_id = %(user_id)s AND bucket_at >= %(start_at)s AND bucket_at < %(end_at)s"""


def _parameters(merchant_id: str, part: Part) -> dict[str, object]:
    return {
        "merchant_id": merchant_id,
        "customer_id": part.customer_id,
        "metric_id": part.metric_id,
        "user_id": part.user_id,
        "start_at": part.start_at,
        "end_at": part.end_at,
    }
