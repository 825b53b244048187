"""A shop that sells "Team", and its books."""

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
    """Seats at $30 in advance; messages at $0.20 beyond 100 per seat, in arrears; it is 31 January 2026."""
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    return Books(shop, events)
