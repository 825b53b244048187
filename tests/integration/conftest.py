"""What tests on real stores share: a shop that sells "Team", its books, and a merchant whose customers use things."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.helpers.billing import Books
from tests.helpers.market import Market
from tests.helpers.selling import Shop
from tests.integration.metering.builders import start_metering

_LIMITS = (
    "entitlement.check_entitlement.PATIENCE_S",
    "metering.read_counters.READ_WITHIN_S",
    "metering.read_counters.REDIS_TIMEOUT_S",
    "metering.trust_counters.READ_WITHIN_S",
    "metering.trust_counters.REDIS_TIMEOUT_S",
    "storage.redis.TIMEOUT_S",
    "storage.redis_lane.TIMEOUT_S",
)
_LONGER_S = 10.0


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given up because the machine does something else for a second.

    How long a server waits for its stores is for tests marked `quiet` or `hanging`: in these a store does not answer.
    """
    if any(map(request.node.get_closest_marker, ("quiet", "hanging"))):
        return
    for limit in _LIMITS:
        monkeypatch.setattr(f"candela_server.{limit}", _LONGER_S)


@pytest.fixture
async def shop(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Shop:
    """Seats at $30 in advance; messages at $0.20 beyond 100 per seat, in arrears; it is 31 January 2026."""
    made = Shop(db, clock, merchant.id)
    await made.sell_team_plan()
    return made


@pytest.fixture
def books(shop: Shop, events: EventStore) -> Books:
    """The books of the shop."""
    return Books(shop, events)


@pytest_asyncio.fixture(loop_scope="session")
async def market(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis, merchant: TestMerchant
) -> AsyncIterator[Market]:
    """A merchant with running ingestion, at 15:00 UTC on 31 January 2026."""
    metering = await start_metering(db, events, clock, redis, merchant.id)
    yield Market(db, events, clock, merchant.id, metering)
    await metering.ingestor.stop()
    await metering.counters.stop()
