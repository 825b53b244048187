"""What tests of entitlements share: merchants with hard limits or the team plan, and servers that answer for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.helpers.selling import Shop as TeamShop
from tests.integration.entitlement.reserving import Desk, Shop, open_desk
from tests.integration.entitlement.watching import Watching, open_watching


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


@pytest_asyncio.fixture(loop_scope="session")
async def watching(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore, redis: Redis
) -> AsyncIterator[Watching]:
    """A server process whose changes can be watched, of a shop that sells the team plan."""
    shop = TeamShop(db, clock, merchant.id)
    await shop.sell_team_plan()
    async with open_watching(shop, events, redis) as opened:
        yield opened
