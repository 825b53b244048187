"""Seats that are given up for a price of the plan that has none, and taken again: their credits come once (SUB-4)."""

from __future__ import annotations

import pytest
from candela.catalog.v1 import plan_pb2, price_pb2

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.catalog.add_price import add_price
from candela_server.catalog.price import PriceId
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.subscription.change import PriceOverride

from tests.helpers.changing import Desk
from tests.helpers.included_calls import bringing, day, left, sell_included, use
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_changed_subscriptions import seats


async def another_price(desk: Desk, *components: price_pb2.PriceComponent) -> PriceId:
    """One more of "seated"."""
    new = price_from_proto(plan_pb2.NewPrice(currency="USD", components=components))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        price, _ = await add_price(tx, desk.market.clock, BySlug("seated"), new)
    return price.id


def seats_from(fewest: int) -> price_pb2.PriceComponent:
    """Seats of which so many are held at least."""
    made = seats("8")
    made.seats.minimum_seats = fewest
    return made


@pytest.mark.spec("SUB-4", "CRD-5", "ENT-4")
@pytest.mark.parametrize(
    ("steps", "included"),
    [
        pytest.param(["none", "four"], 50, id="fewer, after a price without seats"),
        pytest.param(["none", "seven"], 70, id="more, after a price without seats"),
    ],
)
async def test_seats_taken_again_after_a_price_without_seats__bring_no_more_than_the_most_at_once(
    market: Market, steps: list[str], included: int
) -> None:
    desk = await sell_included(market, priced=True)
    request = bringing("10", per_seat=True)
    await desk.sell("seated", seats("10"), calls(flat("1")), request=request)
    holder = await market.sign_up()
    held = await desk.take("seated", seats=5, customer=holder)
    await market.bill(day(4, 1))
    prices = {
        "none": await another_price(desk, fee("30"), calls(flat("1"))),
        "four": await another_price(desk, seats_from(4), calls(flat("1"))),
        "seven": await another_price(desk, seats_from(7), calls(flat("1"))),
    }
    await use(desk, holder, "40", day(4, 5))
    for number, step in enumerate(steps):
        market.clock.advance(day(4, 10 + number))
        await desk.change(held, PriceOverride(price_id=prices[step]))

    assert await left(desk, holder) == included - 40
    assert await reconcile_credits(market.db, market.merchant_id) == []
