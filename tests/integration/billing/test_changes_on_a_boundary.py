"""Changes at the very instant at which a period begins, after it was billed: its first day belongs to them (SEAT-1)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.subscription.change import Cancellation, Pause
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal
INVOICE_NOW = Proration.INVOICE_NOW


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00 and "pro" 50.00 a month, "team" 10.00 a seat."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


@pytest.mark.spec("SEAT-1", "SEAT-3")
async def test_seats_added_as_a_billed_period_begins__cost_all_of_it(desk: Desk) -> None:
    held = await desk.take("team", seats=2)
    await desk.market.bill(day(4, 1))
    await desk.market.bill(day(5, 1))

    await desk.change(held, quantity(await desk.component(held), 5), NOW, INVOICE_NOW)
    await desk.market.bill(day(6, 1))

    # 2 × 10.00 for April and for May; 3 × 10.00 more for all of May; 5 × 10.00 for June
    assert await desk.totals() == [D("20.00"), D("20.00"), D("30.00"), D("50.00")]


@pytest.mark.spec("SEAT-1", "SUB-6")
async def test_upgrade_as_a_billed_period_begins__gives_all_of_the_old_plan_back(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.market.bill(day(5, 1))

    await desk.change(held, to_plan("pro"), NOW, INVOICE_NOW)
    await desk.market.bill(day(6, 1))

    # 50.00 − 20.00 for May
    assert await desk.totals() == [D("20.00"), D("20.00"), D("30.00"), D("50.00")]


@pytest.mark.spec("SUB-6", "INV-1")
async def test_end_that_nothing_is_owed_at__makes_no_invoice_of_nothing(desk: Desk) -> None:
    await desk.market.sell(calls(flat("0.001")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.use(customer, "1", day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Pause(resume_at=None), NOW, INVOICE_NOW)
    await desk.market.bill(day(4, 10, 17))
    await desk.market.use(customer, "1", day(4, 8))
    desk.market.clock.advance(day(4, 12))

    # 2 × 0.001 is nothing, as 0.001 was
    await desk.change(held, Cancellation(), NOW)

    assert await desk.totals() == [D("0.00")]
