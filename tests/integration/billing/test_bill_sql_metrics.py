"""Metrics in SQL on invoices: their own number, and never a wrong one (EVT-6, EVT-7, faults 49)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import event_pb2

from candela_server.billing import store
from candela_server.billing.model import Invoice
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.read_counters import Counters
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.worker.merchant_jobs import bill_everything_due

from demo.team_plan import team_plan
from tests.helpers.selling import Shop


async def _shop(db: Postgres, clock: FixedClock, query: str) -> Shop:
    """A merchant whose premium messages are counted by a query."""
    made = await create_merchant(db, clock, CreateMerchant(name="Tests", mode=Mode.TEST))
    plan = team_plan("team")
    plan.metrics[0].aggregation = metric_pb2.AGGREGATION_UNSPECIFIED
    plan.metrics[0].sql.CopyFrom(metric_pb2.SqlMetric(query=query))
    shop = Shop(db, clock, made.merchant.id)
    async with db.writing(shop.merchant_id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(plan))
    return shop


async def _invoices(shop: Shop) -> list[Invoice]:
    async with shop.db.reading(shop.merchant_id) as tx:
        return await store.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=10, after=None
        )


@pytest.mark.spec("EVT-6", "EVT-7", "INV-2")
async def test_query_that_fails_for_one_merchant__bills_it_nothing_wrong_and_all_others(
    own_database: str, clock: FixedClock
) -> None:
    db, events = Postgres(own_database, clock), EventStore(own_database)
    await db.open()
    await events.open()
    counters, directory = Counters(None, events, clock), Directory(db, clock)
    ingestor = Ingestor(db, events, directory, counters, clock)
    await ingestor.start()
    try:
        huge = await _shop(db, clock, f"SELECT sum({' * '.join(['value'] * 60)}) FROM events")
        sane = await _shop(db, clock, "SELECT sum(value) / 2 FROM events")
        for shop in (huge, sane):
            acme = await shop.sign_up("acme")
            await shop.subscribe(acme, 1)
            await ingestor.record(
                shop.merchant_id,
                [
                    event_pb2.Event(
                        idempotency_key="1",
                        name="premium-message",
                        customer_id=acme.id,
                        value="300",
                    )
                ],
            )
        await bill_everything_due(db, events, clock)
        clock.advance(datetime(2026, 2, 28, 16, tzinfo=UTC))
        for _ in range(2):
            await bill_everything_due(db, events, clock)
            clock.advance(clock.now() + timedelta(hours=1))

        wrong, right = await _invoices(huge), await _invoices(sane)
    finally:
        await ingestor.stop()
        await events.close()
        await db.close()

    assert len(wrong) == 1  # the seat of January; February waits until the query is mended
    assert [one.total for one in right] == [
        Decimal("30.00"),
        Decimal("40.00"),  # a seat at 30, and 150 of which 100 are included: 50 × 0.20
    ]
