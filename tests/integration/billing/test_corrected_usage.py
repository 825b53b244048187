"""What a correction does to invoices: a draft follows, a finalized one stays, and the fact is there (EVT-4, INV-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing import store
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.run_billing import run_billing
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.interval import Interval
from candela_server.metering.read_corrections import list_corrected_usage
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.helpers.selling import Shop
from tests.integration.metering.builders import Metering, event, start_metering
from tests.integration.metering.correcting import by_keys, void


@pytest.fixture
async def metering(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis, merchant: TestMerchant
) -> AsyncIterator[Metering]:
    started = await start_metering(db, events, clock, redis, merchant.id)
    yield started
    await started.ingestor.stop()
    await started.counters.stop()


async def _bill(shop: Shop, events: EventStore, at: datetime) -> list[Invoice]:
    """All invoices after everything that is due was done, oldest first."""
    shop.clock.advance(at)
    await finalize_due(shop.db, events, shop.merchant_id, now=at)
    await run_billing(shop.db, events, shop.merchant_id, now=at)
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await store.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=100, after=None
        )
    return sorted(found, key=lambda one: (one.created_at, one.id))


@pytest.mark.spec("EVT-4", "INV-3")
async def test_event_voided_while_the_invoice_is_a_draft__is_not_charged(
    db: Postgres, clock: FixedClock, events: EventStore, metering: Metering
) -> None:
    shop = Shop(db, clock, metering.merchant_id)
    await shop.sell_team_plan()
    acme = await shop.sign_up("acme")
    await shop.subscribe(acme, 1)
    await _bill(shop, events, clock.now())
    renewal = datetime(2026, 2, 28, 15, tzinfo=UTC)
    # 100 are included; 50 and 10 beyond cost 0.20 each.
    clock.advance(renewal - timedelta(days=1))
    await metering.record(
        event("a", acme, "150", name="premium-message"),
        event("b", acme, "10", name="premium-message"),
    )
    drafted_at = renewal + timedelta(minutes=1)
    [_, draft] = await _bill(shop, events, drafted_at)
    await void(metering, **by_keys("b"))
    [_, finalized] = await _bill(shop, events, drafted_at + timedelta(hours=1))

    assert draft.status is InvoiceStatus.DRAFT
    assert finalized.status is InvoiceStatus.FINALIZED
    assert finalized.total == Decimal("40.00")  # a seat for 30.00, 50 × 0.20


@pytest.mark.spec("EVT-4")
async def test_event_voided_after_the_invoice__leaves_it_alone_and_says_which_period_changed(
    db: Postgres, clock: FixedClock, events: EventStore, metering: Metering
) -> None:
    shop = Shop(db, clock, metering.merchant_id)
    await shop.sell_team_plan()
    acme = await shop.sign_up("acme")
    await shop.subscribe(acme, 1)
    await _bill(shop, events, clock.now())
    renewal = datetime(2026, 2, 28, 15, tzinfo=UTC)
    used_at = renewal - timedelta(days=1)
    clock.advance(used_at)
    await metering.record(event("a", acme, "150", name="premium-message"))
    await _bill(shop, events, renewal)
    before = await _bill(shop, events, renewal + timedelta(hours=2))
    finalized_at = clock.now()

    clock.advance(finalized_at + timedelta(minutes=1))
    await void(metering, **by_keys("a"))
    after = await _bill(shop, events, clock.now())
    async with db.reading(metering.merchant_id) as tx:
        changed = await list_corrected_usage(tx, since=finalized_at, customer_id=acme.id)

    assert before == after
    assert {one.status for one in after} == {InvoiceStatus.FINALIZED}
    [fact] = changed
    assert fact.window == Interval(used_at, used_at + timedelta(minutes=15))
    assert fact.corrected_at > finalized_at
