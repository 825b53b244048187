"""A shop that sells the S1 plan, with its books."""

from __future__ import annotations

import pytest

from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.billing import Books
from tests.helpers.selling import Shop


@pytest.fixture
async def books(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> Books:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    return Books(shop, events)
