"""Knowing that somebody waits for a lock, instead of hoping that it does by now."""

from __future__ import annotations

import asyncpg

from tests.helpers.waiting import eventually

_WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE $1 = ANY(pg_blocking_pids(pid)) AND datname = current_database()
"""


async def waiting_for(url: str, holder: int) -> list[int]:
    """The backends of this database that wait for what the backend `holder` holds."""
    connection = await asyncpg.connect(url)
    try:
        return [row["pid"] for row in await connection.fetch(_WAITING, holder)]
    finally:
        await connection.close()


async def until_waiting(url: str, holder: int) -> None:
    """Returns when a backend waits for what the backend `holder` holds."""
    await eventually(lambda: waiting_for(url, holder), "somebody waits for the lock")
