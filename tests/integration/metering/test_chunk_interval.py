"""The worker fits the length of TimescaleDB's chunks to the rate; months of plain PostgreSQL stay (EVT-8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.metering import age_store, tasks
from candela_server.metering.rules.chunk_interval import LOOK_BACK, MEMORY_SHARE
from candela_server.storage.events import EventStore

from tests.integration.metering.builders import Metering, event

DAY = timedelta(days=1)


async def _chunks(metering: Metering) -> list[age_store.Chunk]:
    async with metering.events.writer() as connection:
        return await age_store.list_recent_chunks(connection, metering.clock.now() - LOOK_BACK)


async def _remember(metering: Metering, memory_bytes: int) -> None:
    """Tells the server how much memory it has: the setting counts kilobytes here."""
    async with metering.db.system() as tx:
        name = await tx.fetchval("SELECT current_database()")
    async with metering.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute(
            f"ALTER DATABASE \"{name}\" SET effective_cache_size = '{memory_bytes // 1024}kB'"
        )


@asynccontextmanager
async def _reopened(url: str) -> AsyncIterator[EventStore]:
    """New connections, which know the database's new settings."""
    events = EventStore(url)
    await events.open()
    try:
        yield events
    finally:
        await events.close()


@pytest.mark.spec("EVT-8")
@pytest.mark.timescaledb
async def test_chunks_whose_indexes_do_not_fit__are_followed_by_shorter_ones_then_longer_again(
    alone: Metering, own_database: str
) -> None:
    await alone.add_metric("calls", Aggregation.SUM)
    acme = await alone.add_customer()
    began = alone.clock.now()
    assert await tasks.fit_chunks(alone.events, alone.clock) is None, "nothing is known yet"
    for number in range(8):
        alone.clock.advance(began + number * DAY)
        await alone.record(
            *[event(f"{number}-{one}", acme, "1", at=alone.clock.now()) for one in range(50)]
        )
    chunks = await _chunks(alone)
    assert {one.end_at - one.start_at for one in chunks} == {7 * DAY}
    fastest = max(one.index_bytes / 7 for one in chunks if one.end_at <= alone.clock.now())
    # So little memory that a quarter of it holds some two and a half days' indexes at most.
    await _remember(alone, int(2.5 * fastest * MEMORY_SHARE))

    async with _reopened(own_database) as events:
        shorter = await tasks.fit_chunks(events, alone.clock)
        again = await tasks.fit_chunks(events, alone.clock)
    alone.clock.advance(began + 20 * DAY)
    await alone.record(event("later", acme, "1", at=alone.clock.now()))
    newest = (await _chunks(alone))[0]

    assert shorter is not None
    assert timedelta(hours=6) <= shorter <= 2 * DAY
    assert again is None
    assert newest.end_at - newest.start_at == shorter
    assert len(await _chunks(alone)) == len(chunks) + 1, "what is there stays"

    await _remember(alone, 1 << 40)
    alone.clock.advance(began + 22 * DAY)
    async with _reopened(own_database) as events:
        longer = await tasks.fit_chunks(events, alone.clock)
    assert longer is not None
    assert shorter < longer <= 2 * shorter


@pytest.mark.spec("EVT-8")
async def test_partitions_of_a_month__stay(alone: Metering) -> None:
    async with alone.events.writer() as connection:
        known = await age_store.read_chunk_interval(connection)
    if known is not None:
        pytest.skip("this server has chunks")
    await alone.record(event("k1", await alone.add_customer()))
    assert await _chunks(alone) == []
    assert await tasks.fit_chunks(alone.events, alone.clock) is None
