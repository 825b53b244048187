"""Fixtures of the catalog's tests."""

from __future__ import annotations

import pytest

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.integration.catalog.services import Catalog


@pytest.fixture
def catalog(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Catalog:
    """The catalog of a new merchant, with nothing in it."""
    return Catalog(db, clock, merchant.id)


@pytest.fixture
async def merchant_beside(db: Postgres, clock: FixedClock) -> Catalog:
    """The catalog of another new merchant."""
    made = await create_merchant(db, clock, CreateMerchant(name="Beside", mode=Mode.TEST))
    return Catalog(db, clock, made.merchant.id)
