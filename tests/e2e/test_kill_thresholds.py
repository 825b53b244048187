"""kill -9 of two workers at random moments while usage reaches its threshold: each is invoiced once (INV-1, INV-2)."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.helpers.forked_biller import ForkedBiller
from tests.helpers.killing import Kills
from tests.helpers.market import Market, calls, flat, money
from tests.integration.metering.builders import start_metering

_SEED = 20260211
_CUSTOMERS = 40
_KILLS = 8
_START = datetime(2026, 1, 31, 15, tzinfo=UTC)
_USED = datetime(2026, 2, 5, 12, tzinfo=UTC)
_END = datetime(2026, 2, 28, 15, tzinfo=UTC)


@pytest.fixture
def billers(own_database: str, redis_url: str, tmp_path: Path) -> Iterator[list[ForkedBiller]]:
    """Two workers on a database of their own."""
    environment = {
        "PATH": os.environ["PATH"],
        "CANDELA_DATABASE_URL": own_database,
        "CANDELA_REDIS_URL": redis_url,
    }
    made = [ForkedBiller(environment, tmp_path / f"biller-{number}.log") for number in range(2)]
    yield made
    for one in made:
        one.end()


@pytest.mark.spec("INV-1", "INV-2", "INV-4")
async def test_two_workers_killed_at_random__invoice_each_threshold_once(
    billers: list[ForkedBiller], own_database: str, redis_url: str
) -> None:
    clock = FixedClock(_START)
    db, events, redis = Postgres(own_database, clock), EventStore(own_database), Redis(redis_url)
    await db.open()
    await events.open()
    merchant = await create_merchant(db, clock, CreateMerchant(name="Kills", mode=Mode.LIVE))
    metering = await start_metering(db, events, clock, redis, merchant.merchant.id)
    market = Market(db, events, clock, merchant.merchant.id, metering)
    await market.sell(calls(flat("1")), threshold=money("50"))
    customers = [await market.subscribe() for _ in range(_CUSTOMERS)]
    clock.advance(_USED)
    for customer in customers:
        await market.use(customer, "80", _USED)

    workers = Kills(billers, random.Random(_SEED))
    workers.bill(_USED + timedelta(minutes=1), kills=_KILLS)
    ahead = await market.invoices()
    workers.bill(_END, kills=_KILLS)
    workers.bill(_END + timedelta(hours=2), kills=0)
    lines = Counter(str(one) for one in await market.lines())
    numbers = sorted(one.number or "" for one in await market.invoices())
    await metering.ingestor.stop()
    await metering.counters.stop()
    await redis.close()
    await events.close()
    await db.close()

    assert workers.hit >= 2 * _KILLS
    assert {one.customer_id for one in ahead} == {one.id for one in customers}
    assert lines == {
        "[('threshold', '80.00')]": _CUSTOMERS,
        "[('usage', '80.00'), ('threshold', '-80.00')]": _CUSTOMERS,
    }
    assert len(set(numbers)) == 2 * _CUSTOMERS
    assert [int(one.rpartition("-")[2]) for one in numbers] == list(range(1, 2 * _CUSTOMERS + 1))
