"""What a change gives back pays for everything that the invoice asks for, late usage too (SEAT-1, EVT-9)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.subscription.change import Cancellation, Pause
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk
from tests.helpers.market import Market, calls, fee, flat

D = Decimal


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" is 1200.00 a year in advance, and 1.00 a call by the month."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("1200", rule="FREQ=YEARLY"), calls(flat("1")))
    return made


@pytest.mark.spec("SEAT-1", "EVT-9")
async def test_late_usage_while_a_year_is_given_back__asks_for_nothing(desk: Desk) -> None:
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 2))
    # No day is left to pay for after this one, but for those that the customer comes back for.
    await desk.change(held, Pause(resume_at=day(4, 20)), NOW, Proration.NEXT_INVOICE)
    await desk.market.bill(day(4, 2))
    await desk.market.bill(day(4, 20))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))
    await desk.market.use(customer, "7", day(4, 25))
    await desk.market.bill(day(6, 1))
    await desk.market.bill(day(6, 1, 17))

    # 18 of 365 days are not held: 1200.00 × 18 ÷ 365 = 59.18 is to be given back, more than the 7.00 of late usage
    assert await desk.totals() == [D("1200.00"), D("0"), D("0"), D("0")]
    assert sum(line.amount for line in (await desk.invoices())[-1].lines) == D("0")


@pytest.mark.spec("SEAT-1", "SUB-6", "EVT-9")
async def test_end_that_gives_back_more_than_is_owed__makes_no_invoice(desk: Desk) -> None:
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Pause(resume_at=None), NOW, Proration.INVOICE_NOW)
    await desk.market.bill(day(4, 10, 17))
    before = await desk.totals()
    await desk.market.use(customer, "7", day(4, 8))
    desk.market.clock.advance(day(4, 12))

    await desk.change(held, Cancellation(), NOW)

    # 356 of 365 days are owed to the customer; 7.00 does not reach them
    assert await desk.totals() == before
