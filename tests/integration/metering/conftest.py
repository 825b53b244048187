"""What metering's tests share: a merchant's whole metering, started, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.metering import store
from candela_server.metering.counter_walk import CounterWalk
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering, start_metering


@pytest_asyncio.fixture(loop_scope="session")
async def metering(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis, merchant: Any
) -> AsyncIterator[Metering]:
    """The metering of one server process, started."""
    started = await start_metering(db, events, clock, redis, merchant.id)
    yield started
    for one in [started, *started.more]:
        await one.ingestor.stop()
        await one.counters.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def other_metering(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis
) -> AsyncIterator[Metering]:
    """The metering of another merchant on the same servers."""
    created = await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))
    started = await start_metering(db, events, clock, redis, created.merchant.id)
    yield started
    await started.ingestor.stop()
    await started.counters.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def alone(own_database: str, clock: FixedClock, redis: Redis) -> AsyncIterator[Metering]:
    """A metering with a database of its own, whose events and keys nobody else needs."""
    db, events = Postgres(own_database, clock), EventStore(own_database)
    await db.open()
    await events.open()
    created = await create_merchant(db, clock, CreateMerchant(name="Old", mode=Mode.TEST))
    started = await start_metering(db, events, clock, redis, created.merchant.id)
    yield started
    for one in [started, *started.more]:
        await one.ingestor.stop()
        await one.counters.stop()
    await events.close()
    await db.close()


@pytest.fixture
def called_by_merchant(metering: Metering) -> Iterator[None]:
    """Servicers are called by the merchant, with a key that may do everything."""
    with acting_as(metering.merchant_id):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def walk(metering: Metering) -> AsyncIterator[CounterWalk]:
    """A walk at its beginning over a Redis with no counters of other tests."""
    await metering.redis.client.flushdb()
    walk = CounterWalk(metering.redis)
    # As every server does within seconds: what was flushed before, on whatever clock, needs to arrive no more.
    async with metering.events.writer() as connection:
        for number, sequence, _ in await store.list_writers(connection):
            await walk.note(number, sequence)
    await metering.counters.reconcile(grace=timedelta(0))
    yield walk
