"""A plan that is left and joined again within a period goes on with the tiers it had reached (DSL-3, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.customer.model import Customer
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_changed_subscriptions import day

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" has 100 calls free and more at 1.00 each, at most 450.00; "other" none."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    priced = flat("1")
    priced.free_units = "100"
    priced.maximum.currency, priced.maximum.amount = "USD", "450"
    await market.sell(calls(priced))
    await made.sell("other", fee("0", name="Other"))
    return made


async def rejoin(desk: Desk, proration: Proration) -> tuple[Customer, Subscription]:
    """100 calls, ten days on the other plan, and 100 calls again."""
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    desk.market.clock.advance(day(4, 11))
    await desk.market.use(customer, "100", day(4, 2))
    await desk.change(held, to_plan("other"), NOW, proration)
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("plan"), NOW, proration)
    desk.market.clock.advance(day(4, 22))
    await desk.market.use(customer, "100", day(4, 22))
    return customer, held


async def billed(desk: Desk) -> list[tuple[str, str]]:
    return [line for some in await desk.market.lines() for line in some if line[0] != "recurring"]


@pytest.mark.spec("DSL-3", "SUB-6")
@pytest.mark.parametrize("proration", [Proration.INVOICE_NOW, Proration.NEXT_INVOICE])
async def test_free_units__are_given_once_in_a_period(desk: Desk, proration: Proration) -> None:
    await rejoin(desk, proration)
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))

    # 200 calls of which 100 are free, on one invoice or on two
    assert await billed(desk) == [("usage", "0.00"), ("usage", "100.00")]


@pytest.mark.spec("DSL-3", "EVT-9")
async def test_late_usage_of_the_first_part__takes_what_was_free_from_no_one(desk: Desk) -> None:
    customer, _ = await rejoin(desk, Proration.INVOICE_NOW)
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))
    await desk.market.use(customer, "10", day(4, 3))
    await desk.market.bill(day(6, 1))
    await desk.market.bill(day(6, 1, 17))

    # 210 calls in April
    assert [line for line in await billed(desk) if line[1] != "0.00"] == [
        ("usage", "100.00"),
        ("adjustment", "10.00"),
    ]


@pytest.mark.spec("DSL-3", "EVT-9")
async def test_usage_taken_back_from_the_first_part__leaves_more_free_for_the_later(
    desk: Desk,
) -> None:
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    desk.market.clock.advance(day(4, 11))
    key = await desk.market.use(customer, "100", day(4, 2))
    await desk.change(held, to_plan("other"), NOW, Proration.INVOICE_NOW)
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("plan"), NOW, Proration.INVOICE_NOW)
    desk.market.clock.advance(day(4, 22))
    await desk.market.use(customer, "100", day(4, 22))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))
    await desk.market.take_back(key)
    desk.market.clock.advance(day(5, 2))
    await desk.market.use(customer, "150", day(5, 2))
    await desk.market.bill(day(6, 1))
    await desk.market.bill(day(6, 1, 17))

    # April's 100 calls are free after all: 100.00 go back, as far as May's 50.00 bear it
    assert sum(await desk.totals()) == D("100.00")


@pytest.mark.spec("DSL-3", "SUB-6")
async def test_usage_of_a_plan_that_is_left_the_same_day__is_not_free_under_a_maximum(
    desk: Desk,
) -> None:
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.use(customer, "1000", day(4, 1, 15))
    desk.market.clock.advance(day(4, 1, 20))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(4, 1, 22))

    # one of 30 days of 450.00
    assert await billed(desk) == [("usage", "15.00")]
