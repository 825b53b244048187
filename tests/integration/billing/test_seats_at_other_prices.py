"""Seats that were held at one price of a plan brought their credits, whatever the price is now (CRD-5, SUB-4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_pb2

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.catalog.create_price import create_price
from candela_server.catalog.price import PriceId
from candela_server.catalog.price_wire import price_from_proto
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, quantity, to_price
from tests.helpers.included_calls import bringing, day, left, sell_included
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal
NONE = Proration.NONE


@pytest.mark.spec("CRD-5", "SUB-4", "SEAT-3")
@pytest.mark.parametrize(
    ("before", "after", "included"),
    [
        # Five seats of ten each have brought theirs for the month.
        pytest.param([3], [5], 50, id="fewer, another price, as many again"),
        pytest.param([3], [7], 70, id="fewer, another price, more than ever"),
        pytest.param([], [3, 5], 50, id="another price, fewer, as many again"),
        pytest.param([7, 3], [6], 70, id="more, fewer, another price, more again"),
    ],
)
@pytest.mark.parametrize("and_back", [False, True], ids=["another price", "there and back"])
async def test_seats_taken_again_at_another_price_of_the_plan__bring_credits_once(
    market: Market, before: list[int], after: list[int], included: int, and_back: bool
) -> None:
    desk = await sell_included(market, priced=True)
    made = await desk.sell(
        "seated", seats("10"), calls(flat("1")), request=bringing("10", per_seat=True)
    )
    holder = await market.sign_up()
    held = await desk.take("seated", seats=5, customer=holder)
    new = plan_pb2.NewPrice(currency="USD", components=[seats("9")])
    async with market.db.writing(market.merchant_id) as tx:
        other, _ = await create_price(tx, market.clock, made.plan.id, price_from_proto(new), {})
    await market.bill(day(4, 1))
    moves: list[PriceId | int] = [*before, other.id, *after]
    if and_back:
        moves += [1, held.version.price_id, after[-1]]
    for number, move in enumerate(moves):
        market.clock.advance(day(4, 5 + number))
        if isinstance(move, int):
            await desk.change(held, quantity(await desk.component(held), move), NOW, NONE)
        else:
            await desk.change(held, to_price(move), proration=NONE)

    assert await left(desk, holder) == included
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("CRD-5", "SEAT-3")
@pytest.mark.parametrize(
    ("held_before", "at_once", "later", "included"),
    [
        pytest.param(2, 10, 10, 100, id="more"),
        pytest.param(10, 2, 10, 100, id="fewer, then as many again"),
        pytest.param(10, 2, 12, 120, id="fewer, then more than before"),
        pytest.param(2, 10, 2, 100, id="more, then as few again"),
    ],
)
@pytest.mark.parametrize("billed_first", [True, False], ids=["billed first", "changed first"])
async def test_seats_changed_as_a_month_begins__bring_credits_once(
    market: Market,
    held_before: int,
    at_once: int,
    later: int,
    included: int,
    billed_first: bool,
) -> None:
    desk = await sell_included(market, priced=True)
    await desk.sell("seated", seats("10"), calls(flat("1")), request=bringing("10", per_seat=True))
    holder = await market.sign_up()
    held = await desk.take("seated", seats=held_before, customer=holder)
    await market.bill(day(4, 1))
    market.clock.advance(day(5, 1))
    if billed_first:
        await market.bill(day(5, 1))
    await desk.change(held, quantity(await desk.component(held), at_once), NOW, NONE)
    await market.bill(day(5, 1))
    market.clock.advance(day(5, 5))
    await desk.change(held, quantity(await desk.component(held), later), NOW, NONE)

    # What was changed before the month was billed is what the month begins with.
    changed_first = 10 * max(at_once, later)
    assert await left(desk, holder) == (included if billed_first else changed_first)
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("CRD-5", "SEAT-3")
async def test_seats_taken_again_in_a_later_month_of_their_year__bring_credits_once(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    yearly = seats("100")
    yearly.recurrence_rule = "FREQ=YEARLY"
    await desk.sell("yearly", yearly, fee("1"), request=bringing("10", per_seat=True))
    holder = await market.sign_up()
    held = await desk.take("yearly", seats=5, customer=holder)
    await market.bill(day(4, 1))
    for month, count in ((4, 3), (6, 5)):
        await market.bill(day(month, 1))
        market.clock.advance(day(month, 10))
        await desk.change(held, quantity(await desk.component(held), count), NOW, NONE)

    assert await left(desk, holder) == 50
