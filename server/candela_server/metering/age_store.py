"""Every SQL text over events' age: what is dropped, what is compressed. All run as candela_events."""

from __future__ import annotations

from datetime import datetime, timedelta

from candela_server.storage.events import Connection

from .rules.chunk_interval import Chunk


async def compress_events(connection: Connection, older_than: timedelta) -> bool:
    """Switches compression on where the database has it; answers whether it is on."""
    cursor = await connection.execute("SELECT candela_compress_events(%s)", [older_than])
    row = await cursor.fetchone()
    assert row is not None
    return bool(row[0])


async def drop_events(connection: Connection, before: datetime) -> int:
    """Drops the partitions or chunks that end before an instant, and answers how many.

    Since when events are kept is noted in the same transaction: whoever reads usage knows what is gone, or has it.
    """
    cursor = await connection.execute(
        "SELECT dropped, kept_since FROM candela_drop_events(%s)", [before]
    )
    row = await cursor.fetchone()
    assert row is not None
    dropped, kept_since = row
    await connection.execute(
        """
        INSERT INTO event_retention AS known (kept_since) VALUES (%s)
        ON CONFLICT (one) DO UPDATE SET kept_since = greatest(known.kept_since, excluded.kept_since)
        """,
        [kept_since],
    )
    return int(dropped)


async def list_recent_chunks(connection: Connection, since: datetime) -> list[Chunk]:
    """The chunks that reach beyond an instant, the latest first; none where there are no chunks."""
    cursor = await connection.execute(
        "SELECT start_at, end_at, index_bytes FROM candela_event_chunks(%s)", [since]
    )
    return [
        Chunk(start_at=row[0], end_at=row[1], index_bytes=int(row[2]))
        for row in await cursor.fetchall()
    ]


async def read_chunk_interval(connection: Connection) -> tuple[timedelta, int] | None:
    """How long the next chunk will be, and the server's memory in bytes; None where there are no chunks."""
    cursor = await connection.execute(
        "SELECT chunk_interval, cache_bytes FROM candela_event_chunk_interval()"
    )
    row = await cursor.fetchone()
    return (row[0], int(row[1])) if row is not None and row[0] is not None else None


async def set_chunk_interval(connection: Connection, wanted: timedelta) -> None:
    """Makes chunks that are begun from now on so long."""
    await connection.execute("SELECT candela_set_event_chunk_interval(%s)", [wanted])
