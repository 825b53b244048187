"""Every SQL text of backfills; nothing here decides (EVT-4, EVT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from candela_server.kernel.interval import Interval
from candela_server.storage import copy_binary
from candela_server.storage.array_parameters import UuidArray
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Row, Tx

from .correction import Backfill, BackfillId, ChosenEvent
from .correction_store import chosen_from_values
from .event_statements import WritingStatements

_COLUMNS: Final[LiteralString] = """
    id, window_start_at, window_end_at, customer_id, replaces_existing, reason, event_count, created_at, closed_at,
    reverted_at, counted_from_at, counted_until_at
"""

_UNFINISHED: Final[LiteralString] = """
    ((reverted_at IS NULL AND counted_until_at < window_end_at)
     OR (reverted_at IS NOT NULL AND counted_from_at < window_end_at))
"""


async def insert_backfill(tx: Tx, backfill: Backfill) -> None:
    """Stores a new backfill."""
    await tx.execute(
        """
        INSERT INTO backfill (merchant_id, id, window_start_at, window_end_at, customer_id, replaces_existing, reason,
                              event_count, created_at, closed_at, reverted_at, counted_from_at, counted_until_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        tx.merchant_id,
        backfill.id,
        backfill.window.start_at,
        backfill.window.end_at,
        backfill.customer_id,
        backfill.replaces_existing,
        backfill.reason,
        backfill.event_count,
        backfill.created_at,
        backfill.closed_at,
        backfill.reverted_at,
        backfill.counted_from_at,
        backfill.counted_until_at,
    )


async def find_backfill(tx: Tx, backfill_id: BackfillId) -> Backfill | None:
    """A backfill."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM backfill WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        backfill_id,
    )
    return _backfill_from_row(row) if row else None


async def find_overlapping(tx: Tx, window: Interval, customer_id: str | None) -> Backfill | None:
    """An unfinished backfill that shares an instant and a customer with these."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM backfill
        WHERE merchant_id = $1 AND {_UNFINISHED} AND window_start_at < $3 AND window_end_at > $2
          AND ($4::text IS NULL OR customer_id IS NULL OR customer_id = $4)
        ORDER BY window_start_at, id LIMIT 1
        """,
        tx.merchant_id,
        window.start_at,
        window.end_at,
        customer_id,
    )
    return _backfill_from_row(row) if row else None


async def list_unfinished(tx: Tx) -> list[tuple[str, BackfillId]]:
    """Merchant and id of every backfill that a task has to go on with."""
    # tenant-scope: tasks work for all merchants
    rows = await tx.fetch(
        f"""
        SELECT merchant_id, id FROM backfill
        WHERE {_UNFINISHED} AND (closed_at IS NOT NULL OR reverted_at IS NOT NULL)
        ORDER BY merchant_id, id
        """
    )
    return [(row["merchant_id"], BackfillId(row["id"])) for row in rows]


async def update_backfill(tx: Tx, backfill: Backfill) -> None:
    """Stores where a backfill stands."""
    await tx.execute(
        """
        UPDATE backfill SET closed_at = $3, reverted_at = $4, counted_from_at = $5, counted_until_at = $6
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        backfill.id,
        backfill.closed_at,
        backfill.reverted_at,
        backfill.counted_from_at,
        backfill.counted_until_at,
    )


async def read_backfill(
    connection: Connection, merchant_id: str, backfill_id: str
) -> Backfill | None:
    """A backfill, for the events that want to join it."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM backfill WHERE merchant_id = %s AND id = %s",
        [merchant_id, backfill_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return _backfill_from_row(dict(zip(names, row, strict=True)))


async def copy_backfill_events(connection: Connection, rows: Sequence[bytes]) -> None:
    """Appends events that come with a backfill, each row in binary form."""
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            """
            COPY event (merchant_id, customer_id, user_id, name, value, happened_at, key_hash,
                        idempotency_key, properties, received_at, backfill_id)
            FROM STDIN (FORMAT BINARY)
            """
        ) as copy,
    ):
        await copy.write(b"".join([copy_binary.COPY_HEADER, *rows, copy_binary.COPY_TRAILER]))


async def count_joined(
    connection: Connection, merchant_id: str, backfill_id: str, count: int
) -> None:
    """Notes that so many events more have joined a backfill."""
    await connection.execute(
        "UPDATE backfill SET event_count = event_count + %s WHERE merchant_id = %s AND id = %s",
        [count, merchant_id, backfill_id],
    )


async def insert_kept(
    connection: Connection, merchant_id: str, backfill_id: str, key_hashes: Sequence[bytes]
) -> None:
    """Notes events that were sent again and are there already."""
    await connection.execute(
        """
        INSERT INTO backfill_kept_event (merchant_id, backfill_id, key_hash)
        SELECT %s, %s, key_hash FROM unnest(%s) AS kept (key_hash) ORDER BY key_hash
        ON CONFLICT DO NOTHING
        """,
        [merchant_id, backfill_id, UuidArray(key_hashes)],
    )


async def find_crowded(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, limit: int
) -> datetime | None:
    """When the first event happened that is one too many for a step that begins at `start_at`."""
    rows = await statements.fetch(
        f"""
        SELECT happened_at FROM ({_own_and_replaced(backfill)}) AS concerned
        ORDER BY happened_at OFFSET %(limit)s::integer LIMIT 1
        """,
        {
            **_parameters(statements, backfill, start_at, backfill.window.end_at),
            "limit": limit,
        },
    )
    return rows[0][0] if rows else None


async def list_own_events(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that came with the backfill."""
    rows = await statements.fetch(_OWN, _parameters(statements, backfill, start_at, end_at))
    return [chosen_from_values(row) for row in rows]


async def list_replaced_events(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that the backfill replaces: what was there when it was closed and would count without it, but not
    what it had sent again. Those that another backfill replaced are among them, in case that one is reverted."""
    rows = await statements.fetch(
        _replaced(backfill), _parameters(statements, backfill, start_at, end_at)
    )
    return [chosen_from_values(row) for row in rows]


async def list_given_back(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that the backfill has replaced, and that count again without it."""
    rows = await statements.fetch(
        """
        SELECT key_hash, happened_at, came_with, customer_id, user_id, name FROM event_void
        WHERE merchant_id = %(merchant_id)s AND backfill_id = %(backfill_id)s
          AND happened_at >= %(start_at)s::timestamptz AND happened_at < %(end_at)s::timestamptz
        """,
        _parameters(statements, backfill, start_at, end_at),
    )
    return [chosen_from_values(row) for row in rows]


async def free_keys(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> None:
    """Makes the keys of the backfill's events free again, so that the same events can be sent anew."""
    # stored-events: the keys of all that came with the backfill
    await statements.execute(
        """
        DELETE FROM event_key USING event
        WHERE event.merchant_id = %(merchant_id)s AND event.backfill_id = %(backfill_id)s
          AND event.happened_at >= %(start_at)s::timestamptz AND event.happened_at < %(end_at)s::timestamptz
          AND event_key.key_hash = event.key_hash AND event_key.happened_at = event.happened_at
        """,
        _parameters(statements, backfill, start_at, end_at),
    )


# stored-events: what comes with an open backfill does not count yet
_OWN: Final[LiteralString] = """
    SELECT key_hash, happened_at, coalesce(backfill_id, ''), customer_id, coalesce(user_id, ''), name
    FROM event
    WHERE merchant_id = %(merchant_id)s AND backfill_id = %(backfill_id)s
      AND happened_at >= %(start_at)s::timestamptz AND happened_at < %(end_at)s::timestamptz
"""


def _own_and_replaced(backfill: Backfill) -> LiteralString:
    if not backfill.replaces_existing or backfill.reverted_at is not None:
        return _OWN
    return f"{_OWN} UNION ALL {_replaced(backfill)}"


def _replaced(backfill: Backfill) -> LiteralString:
    of_customer: LiteralString = (
        "" if backfill.customer_id is None else "AND event.customer_id = %(customer_id)s"
    )
    # stored-events: what another backfill has replaced is replaced by this one as well
    return f"""
        SELECT event.key_hash, event.happened_at, coalesce(event.backfill_id, ''), event.customer_id,
               coalesce(event.user_id, ''), event.name
        FROM event
        WHERE event.merchant_id = %(merchant_id)s AND event.happened_at >= %(start_at)s::timestamptz
          AND event.happened_at < %(end_at)s::timestamptz {of_customer}
          AND event.backfill_id IS DISTINCT FROM %(backfill_id)s AND event.received_at <= %(closed_at)s::timestamptz
          AND (event.backfill_id IS NULL OR EXISTS (
                  SELECT FROM backfill
                  WHERE backfill.merchant_id = event.merchant_id AND backfill.id = event.backfill_id
                    AND backfill.counted_from_at <= event.happened_at
                    AND event.happened_at < backfill.counted_until_at))
          AND NOT EXISTS (
                  SELECT FROM backfill_kept_event AS kept
                  WHERE kept.merchant_id = event.merchant_id AND kept.backfill_id = %(backfill_id)s
                    AND kept.key_hash = event.key_hash)
          AND NOT EXISTS (
                  SELECT FROM event_void AS void
                  WHERE void.merchant_id = event.merchant_id AND void.key_hash = event.key_hash
                    AND void.happened_at = event.happened_at AND void.came_with = coalesce(event.backfill_id, '')
                    AND void.backfill_id IS NULL)
    """


def _parameters(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> dict[str, Any]:
    return {
        "merchant_id": statements.merchant_id,
        "backfill_id": backfill.id,
        "customer_id": backfill.customer_id,
        "closed_at": backfill.closed_at,
        "start_at": start_at,
        "end_at": end_at,
    }


def _backfill_from_row(row: Row) -> Backfill:
    return Backfill(
        id=BackfillId(row["id"]),
        window=Interval(row["window_start_at"], row["window_end_at"]),
        customer_id=row["customer_id"],
        replaces_existing=row["replaces_existing"],
        reason=row["reason"],
        event_count=row["event_count"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        reverted_at=row["reverted_at"],
        counted_from_at=row["counted_from_at"],
        counted_until_at=row["counted_until_at"],
    )
