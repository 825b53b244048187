"""What metering's tests share: a merchant's whole metering, started, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

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
