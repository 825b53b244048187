"""Every SQL text over events' age: what is dropped, what is compressed. All run as candela_events."""

from __future__ import annotations

from datetime import datetime, timedelta

from candela_server.storage.events import Connection


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
