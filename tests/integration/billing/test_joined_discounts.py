"""Discounts and ramps count periods from the subscription's anchor, whenever their price was joined (DSL-4, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day

D = Decimal
NONE = Proration.NONE


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00; "half" 40.00, of which half is off for three months."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    half = price_terms_pb2.Discount(
        percent="50", duration=price_terms_pb2.DISCOUNT_DURATION_REPEATING, period_count=3
    )
    await made.sell("half", fee("40", name="Half"), discounts=(half,))
    return made


@pytest.mark.spec("DSL-4", "SUB-6")
async def test_price_joined_in_the_second_month__has_its_discount_for_what_is_left_of_the_three(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 30))
    await desk.change(held, to_plan("half"), NOW, NONE)
    for month in (5, 6, 7, 8):
        await desk.market.bill(day(month, 1))

    assert await desk.totals() == [D(20), D(20), D(20), D(40), D(40)]


@pytest.mark.spec("DSL-4", "SUB-6")
async def test_price_joined_after_its_discount__costs_its_full_amount(desk: Desk) -> None:
    held = await desk.take("basic")
    for month in (4, 5, 6):
        await desk.market.bill(day(month, 1))
    desk.market.clock.advance(day(6, 30))
    await desk.change(held, to_plan("half"), NOW, NONE)
    await desk.market.bill(day(7, 1))

    assert (await desk.totals())[-1] == D(40)


@pytest.mark.spec("DSL-4", "SUB-6")
async def test_reactivation__begins_the_discount_anew(desk: Desk) -> None:
    held = await desk.take("half")
    for month in (4, 5, 6, 7):
        await desk.market.bill(day(month, 1))
    desk.market.clock.advance(day(7, 10))
    await desk.change(held, Cancellation(), NOW, NONE)
    await desk.change(held, Reactivation(price_id=None))
    await desk.market.bill(day(7, 10))

    assert [one for one in await desk.totals() if one] == [D(20), D(20), D(20), D(40), D(20)]
