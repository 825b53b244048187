"""What tests of reservations share: a merchant with hard limits, and two server processes that answer for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.integration.entitlement.reserving import Desk, Shop, open_desk


@pytest_asyncio.fixture(loop_scope="session")
async def bounded_shop(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Shop:
    """Sells the plan "bounded"."""
    made = Shop(db, clock, merchant.id)
    await made.sell()
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    bounded_shop: Shop, events: EventStore, redis: Redis, redis_url: str
) -> AsyncIterator[Desk]:
    """A server process, with an empty Redis."""
    async with open_desk(bounded_shop, events, redis_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def other_desk(
    bounded_shop: Shop, events: EventStore, redis: Redis, redis_url: str
) -> AsyncIterator[Desk]:
    """Another server process of the same merchant."""
    async with open_desk(bounded_shop, events, redis_url) as opened:
        yield opened
