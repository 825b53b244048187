"""Every SQL text that lists events as stored, page by page (EVT-8). Nothing here decides.

All run as candela_events, which no tenant's wall holds back, so all name merchant_id. Events are ordered by instant and
key; each statement continues after a position of that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from candela_server.storage.events import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event as the server keeps it; `properties_json` is "" for none."""

    idempotency_key: str
    name: str
    customer_id: str
    user_id: str | None
    value: Decimal
    happened_at: datetime
    properties_json: str
    received_at: datetime
    voided_at: datetime | None
    replaced_by_key: str | None
    backfill_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRange:
    """Events of a merchant from `from_at` on and before `end_at`; at `from_at` itself only keys after `after_key`.

    Of one user alone when `user_id` is not "".
    """

    merchant_id: str
    from_at: datetime
    after_key: str
    end_at: datetime
    user_id: str = ""


async def list_names(
    connection: Connection, merchant_id: str, customer_id: str, limit: int
) -> list[str]:
    """The names of a customer's events, at most `limit`: one step down the index each."""
    # stored-events: voided ones are listed, too, and marked
    cursor = await connection.execute(
        """
        WITH RECURSIVE found (name) AS (
            (SELECT name FROM event WHERE merchant_id = %(merchant_id)s AND customer_id = %(customer_id)s
             ORDER BY name LIMIT 1)
            UNION ALL
            SELECT (SELECT following.name FROM event AS following
                    WHERE following.merchant_id = %(merchant_id)s AND following.customer_id = %(customer_id)s
                      AND following.name > found.name ORDER BY following.name LIMIT 1)
            FROM found WHERE found.name IS NOT NULL
        )
        SELECT name FROM found WHERE name IS NOT NULL LIMIT %(limit)s
        """,
        {"merchant_id": merchant_id, "customer_id": customer_id, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]


async def list_events_by_name(
    connection: Connection, span: EventRange, customer_id: str, names: Sequence[str], limit: int
) -> list[ListedEvent]:
    """The first events of a customer with one of these names: each name by its own walk along the index."""
    # stored-events: voided ones are listed, too, and marked
    cursor = await connection.execute(
        f"""
        SELECT {_LISTED}
        FROM unnest(%(names)s::text[]) AS wanted (name)
        CROSS JOIN LATERAL (
            SELECT * FROM event
            WHERE event.merchant_id = %(merchant_id)s AND event.customer_id = %(customer_id)s
              AND event.name = wanted.name AND {_IN_RANGE}
            ORDER BY event.happened_at, event.idempotency_key LIMIT %(limit)s
        ) AS event
        {_VOIDED}
        ORDER BY event.happened_at, event.idempotency_key LIMIT %(limit)s
        """,
        {
            **_range(span),
            "customer_id": customer_id,
            "names": sorted(set(names)),
            "limit": limit,
        },
    )
    return [_listed_from_row(row) for row in await cursor.fetchall()]


async def list_events_by_time(
    connection: Connection,
    span: EventRange,
    customer_id: str,
    names: Sequence[str],
    limit: int,
    scanned: int,
) -> list[ListedEvent]:
    """The first events of one customer, or of all for "", with one of these names, or any for none, among the first
    `scanned` events of the range."""
    # stored-events: voided ones are listed, too, and marked
    cursor = await connection.execute(
        f"""
        SELECT {_LISTED}
        FROM (
            SELECT * FROM event
            WHERE event.merchant_id = %(merchant_id)s AND {_IN_TIME}
            ORDER BY event.happened_at, event.idempotency_key LIMIT %(scanned)s
        ) AS event
        {_VOIDED}
        WHERE (%(customer_id)s = '' OR event.customer_id = %(customer_id)s)
          AND (%(names)s::text[] = '{{}}' OR event.name = ANY(%(names)s::text[]))
          AND (%(user_id)s = '' OR event.user_id = %(user_id)s)
        ORDER BY event.happened_at, event.idempotency_key LIMIT %(limit)s
        """,
        {
            **_range(span),
            "customer_id": customer_id,
            "names": list(names),
            "limit": limit,
            "scanned": scanned,
        },
    )
    return [_listed_from_row(row) for row in await cursor.fetchall()]


async def find_position(
    connection: Connection, span: EventRange, number: int
) -> tuple[datetime, str] | None:
    """Where the event of this number stands in the range, whatever its customer and name; None when it has fewer."""
    # stored-events: voided ones are listed, too, and marked
    cursor = await connection.execute(
        f"""
        SELECT happened_at, idempotency_key FROM event
        WHERE event.merchant_id = %(merchant_id)s AND {_IN_TIME}
        ORDER BY happened_at, idempotency_key OFFSET %(before)s LIMIT 1
        """,
        {**_range(span), "before": number - 1},
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else None


_LISTED: LiteralString = """
    event.idempotency_key, event.name, event.customer_id, event.user_id, event.value, event.happened_at,
    coalesce(event.properties::text, ''), event.received_at, event.backfill_id, voided.voided_at,
    voided.replaced_by_key
"""
# The void that makes an event count no longer, as the view counted_event has it; a later one says what replaced it.
_VOIDED: LiteralString = """
    LEFT JOIN LATERAL (
        SELECT void.voided_at, void.replaced_by_key FROM event_void AS void
        LEFT JOIN backfill ON backfill.merchant_id = void.merchant_id AND backfill.id = void.backfill_id
        WHERE void.merchant_id = event.merchant_id AND void.key_hash = event.key_hash
          AND void.happened_at = event.happened_at AND void.came_with = coalesce(event.backfill_id, '')
          AND (void.backfill_id IS NULL
               OR (backfill.counted_from_at <= void.happened_at AND void.happened_at < backfill.counted_until_at))
        ORDER BY void.voided_at LIMIT 1
    ) AS voided ON true
"""
_IN_TIME: LiteralString = """
    event.happened_at >= %(from_at)s AND event.happened_at < %(end_at)s
    AND (event.happened_at > %(from_at)s OR event.idempotency_key > %(after_key)s)
"""
_IN_RANGE: LiteralString = f"{_IN_TIME} AND (%(user_id)s = '' OR event.user_id = %(user_id)s)"


def _range(span: EventRange) -> dict[str, Any]:
    return {
        "merchant_id": span.merchant_id,
        "from_at": span.from_at,
        "after_key": span.after_key,
        "end_at": span.end_at,
        "user_id": span.user_id,
    }


def _listed_from_row(row: Sequence[Any]) -> ListedEvent:
    key, name, customer_id, user_id, value, happened_at, properties_json, received_at, *marks = row
    backfill_id, voided_at, replaced_by_key = marks
    return ListedEvent(
        idempotency_key=key,
        name=name,
        customer_id=customer_id,
        user_id=user_id,
        value=value,
        happened_at=happened_at,
        properties_json=properties_json,
        received_at=received_at,
        voided_at=voided_at,
        replaced_by_key=replaced_by_key,
        backfill_id=backfill_id,
    )
