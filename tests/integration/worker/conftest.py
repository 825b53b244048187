"""What tests of jobs share: a shop that is alone in its database, as jobs go over all merchants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock, SystemClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.helpers.billing import Books
from tests.helpers.selling import Shop


@pytest_asyncio.fixture(loop_scope="session")
async def books(own_database: str, clock: FixedClock) -> AsyncIterator[Books]:
    """Its books."""
    db, events = Postgres(own_database, SystemClock()), EventStore(own_database)
    await db.open()
    await events.open()
    made = await create_merchant(db, clock, CreateMerchant(name="Tests", mode=Mode.TEST))
    shop = Shop(db, clock, made.merchant.id)
    await shop.sell_team_plan()
    yield Books(shop, events)
    await events.close()
    await db.close()
