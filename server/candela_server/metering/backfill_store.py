"""Every SQL text of backfills; nothing here decides (EVT-4, EVT-9)."""

from __future__ import annotations

from typing import Final, LiteralString

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Row, Tx

from .correction import Backfill, BackfillId

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


async def count_joined(
    connection: Connection, merchant_id: str, backfill_id: str, count: int
) -> None:
    """Notes that so many events more have joined a backfill."""
    await connection.execute(
        "UPDATE backfill SET event_count = event_count + %s WHERE merchant_id = %s AND id = %s",
        [count, merchant_id, backfill_id],
    )


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
