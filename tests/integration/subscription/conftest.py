"""What tests of migrations share: a shop whose plan's subscribers can move to another version of it."""

from __future__ import annotations

import pytest_asyncio

from candela_server.kernel.clock import FixedClock
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.migrating import Migrations


@pytest_asyncio.fixture(loop_scope="session")
async def moving(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Migrations:
    """Sells the plan "starter"."""
    made = Migrations(db, clock, merchant.id)
    await made.sell_starter()
    return made
