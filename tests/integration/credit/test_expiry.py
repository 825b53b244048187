"""What is left of a grant expires once its last invoice is final, and not a moment earlier (CRD-5)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing import store as billing
from candela_server.billing.finalize_invoices import finalize_due, finalize_invoice
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.run_billing import run_billing
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.credit import read as credit
from candela_server.customer.model import Customer
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from demo.team_plan import team_plan
from tests.conftest import TestMerchant
from tests.helpers.selling import Shop

JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)
# New York is at UTC−4 from 8 March.
MARCH_31 = datetime(2026, 3, 31, 14, tzinfo=UTC)


@pytest.fixture
async def shop(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Shop:
    return Shop(db, clock, merchant.id)


async def sell_without_usage_prices(shop: Shop) -> None:
    """The S1 plan without overage: the credits limit usage, and no invoice shows it."""
    request = team_plan("team")
    del request.prices[0].components[1:]
    async with shop.db.writing(shop.merchant_id) as tx:
        await create_plan(tx, shop.clock, create_plan_from_proto(request))


async def balances(shop: Shop, holder: Customer) -> dict[datetime, Decimal]:
    """What is left of the premium messages, by the beginning of their period."""
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await credit.list_grants_of_customers(tx, [holder.id], until=shop.clock.now())
    return {grant.effective_at: grant.balance for grant in found if grant.amount == 100}


async def drafts_by_end(shop: Shop) -> list[Invoice]:
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await billing.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=100, after=None
        )
    drafts = [one for one in found if one.status is InvoiceStatus.DRAFT]
    return sorted(drafts, key=lambda one: max(line.period.end_at for line in one.lines))


@pytest.mark.spec("CRD-5", "INV-3")
async def test_later_draft_finalized_first__leaves_the_credits_of_earlier_drafts(
    shop: Shop, events: EventStore
) -> None:
    await shop.sell_team_plan()
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    shop.clock.advance(datetime(2026, 4, 15, tzinfo=UTC))
    now = shop.clock.now()
    await run_billing(shop.db, events, shop.merchant_id, now=now)
    [_, later] = await drafts_by_end(shop)

    async with shop.db.writing(shop.merchant_id) as tx:
        await finalize_invoice(tx, events, later.id, now=now)
    between = await balances(shop, holder)
    [earlier] = await drafts_by_end(shop)
    async with shop.db.writing(shop.merchant_id) as tx:
        await finalize_invoice(tx, events, earlier.id, now=now)

    assert between == {JANUARY_31: 100, FEBRUARY_28: 0, MARCH_31: 100}
    assert await balances(shop, holder) == {JANUARY_31: 0, FEBRUARY_28: 0, MARCH_31: 100}


@pytest.mark.spec("CRD-5", "CRD-4")
async def test_credits_that_no_invoice_draws_from__expire_as_they_renew(
    shop: Shop, events: EventStore
) -> None:
    await sell_without_usage_prices(shop)
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    shop.clock.advance(datetime(2026, 4, 15, tzinfo=UTC))
    now = shop.clock.now()

    for _ in range(2):
        await run_billing(shop.db, events, shop.merchant_id, now=now)
        await finalize_due(shop.db, events, shop.merchant_id, now=now)

    assert await balances(shop, holder) == {JANUARY_31: 0, FEBRUARY_28: 0, MARCH_31: 100}
