"""What tests of the billing pipeline share: a merchant whose customers really use what they bought."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.helpers.market import Market
from tests.integration.metering.builders import start_metering


@pytest_asyncio.fixture(loop_scope="session")
async def market(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis, merchant: TestMerchant
) -> AsyncIterator[Market]:
    """A merchant with running ingestion, at 15:00 UTC on 31 January 2026."""
    metering = await start_metering(db, events, clock, redis, merchant.id)
    yield Market(db, events, clock, merchant.id, metering.ingestor)
    await metering.ingestor.stop()
    await metering.counters.stop()
