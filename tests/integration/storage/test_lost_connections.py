"""Connections that die in use: whoever used one is told to try again, never of the driver's inner states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from candela_server.kernel.clock import SystemClock
from candela_server.storage.events import EventStore, EventStoreUnavailableError
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

_ROUNDS = 60
_CALLERS = 12
_KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1
"""


@pytest.mark.spec("EVT-2", "OPS-1")
async def test_connections_killed_in_use__callers_are_told_to_try_again_and_the_pool_recovers(
    own_database: str,
) -> None:
    db = Postgres(own_database, SystemClock(), pool_size=4)
    await db.open()
    told: list[str] = []

    async def call() -> None:
        try:
            async with db.reading("mch_test") as tx:
                for _ in range(3):
                    await tx.fetch("SELECT n, pg_sleep(0.0005) FROM generate_series(1, 3) AS n")
        except DatabaseUnavailableError:
            pass
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")

    await _while_killing("candela", own_database, call)
    async with db.reading("mch_test") as tx:
        assert await tx.fetchval("SELECT 1") == 1
    await db.close()

    assert told == []


@pytest.mark.spec("EVT-2", "OPS-1")
async def test_event_connections_killed_in_use__callers_are_told_to_try_again_and_the_pool_recovers(
    own_database: str,
) -> None:
    events = EventStore(own_database)
    await events.open()
    told: list[str] = []

    async def call() -> None:
        try:
            async with events.writer() as connection:
                await connection.execute("CREATE TEMPORARY TABLE copied (n integer) ON COMMIT DROP")
                async with connection.cursor().copy("COPY copied FROM STDIN") as copy:
                    for n in range(50):
                        await copy.write_row((n,))
                        await asyncio.sleep(0)
            async with events.reader() as connection:
                await connection.execute("SELECT pg_sleep(0.0005)")
        except EventStoreUnavailableError:
            pass
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")

    await _while_killing("candela-events", own_database, call)
    async with events.reader() as connection:
        await connection.execute("SELECT 1")
    await events.close()

    assert told == []


async def _while_killing(application: str, url: str, call: Callable[[], Awaitable[None]]) -> None:
    """Calls again and again, from many tasks, while the application's connections are killed."""
    killer = await asyncpg.connect(url)
    over = False

    async def repeat() -> None:
        while not over:
            await call()

    callers = [asyncio.create_task(repeat()) for _ in range(_CALLERS)]
    for number in range(_ROUNDS):
        await asyncio.sleep(0.003 + 0.0007 * (number % 11))
        await killer.execute(_KILL, application)
    over = True
    await asyncio.gather(*callers)
    await killer.close()
