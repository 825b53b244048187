"""Every SQL text over what is known of the keys of months that are over (EVT-2)."""

from __future__ import annotations

from datetime import date, datetime

from candela_server.storage.events import Connection


async def list_key_months(connection: Connection) -> list[tuple[date, int]]:
    """The months that keys may lie in, and over how many pages; the earliest first."""
    cursor = await connection.execute("SELECT claim_month, pages FROM candela_event_key_months()")
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def list_filtered_months(connection: Connection) -> set[date]:
    """The months that have a filter."""
    cursor = await connection.execute("SELECT claim_month FROM event_key_filter")
    return {row[0] for row in await cursor.fetchall()}


async def get_blocks(connection: Connection, month: date) -> bytes:
    """The filter of a month that `list_filtered_months` named in the same snapshot."""
    cursor = connection.cursor(binary=True)
    await cursor.execute("SELECT blocks FROM event_key_filter WHERE claim_month = %s", [month])
    row = await cursor.fetchone()
    assert row is not None, f"the snapshot holds a filter of {month}"
    return bytes(row[0])


async def read_keys(connection: Connection, month: date, first_page: int, pages: int) -> bytes:
    """The keys of a month that lie in these pages, one behind the other."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        """
        SELECT string_agg(uuid_send(key_hash), ''::bytea) FROM event_key
        WHERE claim_month = %s AND ctid >= %s::tid AND ctid < %s::tid
        """,
        [month, f"({first_page},0)", f"({first_page + pages},0)"],
    )
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else b""


async def insert_filter(
    connection: Connection, month: date, *, key_count: int, blocks: bytes, now: datetime
) -> None:
    """Keeps the filter of a month, unless there is one."""
    await connection.execute(
        """
        INSERT INTO event_key_filter (claim_month, key_count, blocks, made_at) VALUES (%s, %s, %b, %s)
        ON CONFLICT DO NOTHING
        """,
        [month, key_count, blocks, now],
    )


async def delete_filters(connection: Connection, before: date) -> None:
    """Deletes the filters of months whose keys are forgotten."""
    await connection.execute("DELETE FROM event_key_filter WHERE claim_month < %s", [before])
