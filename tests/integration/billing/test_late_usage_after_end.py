"""Usage that comes after its subscription has ended is billed all the same, once (EVT-9, INV-2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.bill_ended import bill_ended
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.change import Cancellation

from tests.helpers.changing import NOW, Desk
from tests.helpers.included_calls import bringing, sweep
from tests.helpers.market import Market, calls, flat

D = Decimal
ENDS = datetime(2026, 2, 10, 15, tzinfo=UTC)
USED = ENDS - timedelta(days=3)


async def look(market: Market, at: datetime) -> int:
    market.clock.advance(at)
    return await bill_ended(market.db, market.events, market.merchant_id, now=at)


@pytest.mark.spec("EVT-9", "INV-2", "SUB-6")
@pytest.mark.parametrize("days", [1, 20, 34])
async def test_events_days_after_the_end__are_on_an_invoice_of_their_own(
    market: Market, days: int
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    market.clock.advance(USED)
    await market.use(customer, "3", USED)
    market.clock.advance(ENDS)
    await desk.change(held, Cancellation(), NOW)
    await market.bill(ENDS + timedelta(hours=2))
    at_first = await look(market, ENDS + timedelta(hours=3))
    market.clock.advance(ENDS + timedelta(days=days))
    await market.use(customer, "4", ENDS - timedelta(hours=1))
    found = await look(market, market.clock.now() + timedelta(minutes=30))
    again = await look(market, market.clock.now() + timedelta(hours=1))
    await market.bill(market.clock.now() + timedelta(hours=2))

    assert (at_first, found, again) == (0, 1, 0)
    assert [one.total for one in await market.invoices()] == [D("3.00"), D("4.00")]
    _, late_one = await market.lines()
    assert late_one == [("adjustment", "4.00")]


@pytest.mark.spec("EVT-9", "CRD-5", "CRD-7")
async def test_more_late_usage_than_is_left_of_what_the_plan_included__costs_the_rest(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    await desk.sell("included", calls(flat("1")), request=bringing("100"))
    customer = await market.sign_up()
    held = await desk.take("included", customer=customer)
    market.clock.advance(USED)
    await market.use(customer, "30", USED)
    market.clock.advance(ENDS)
    await desk.change(held, Cancellation(), NOW)
    await market.bill(ENDS + timedelta(hours=2))
    await sweep(desk)
    market.clock.advance(ENDS + timedelta(days=1))
    await market.use(customer, "90", USED)
    found = await look(market, market.clock.now() + timedelta(minutes=30))
    await market.bill(market.clock.now() + timedelta(hours=2))

    # 120 calls, of which 100 are included, though the 70 that were left expired with the plan
    assert found == 1
    assert [one.total for one in await market.invoices()] == [D("0.00"), D("20.00")]
    assert await market.balances() == [D(0)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("EVT-9")
async def test_end_without_late_events__bills_nothing_more(market: Market) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    held = await desk.take("plan")
    market.clock.advance(ENDS)
    await desk.change(held, Cancellation(), NOW)

    assert [await look(market, ENDS + timedelta(days=day)) for day in (1, 10, 40)] == [0, 0, 0]
    assert [one.total for one in await market.invoices()] == [D(0)]
