"""An allowance that came after an end is whole again once the period that was cut off would be over (ENT-4, CRD-5)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.model import Proration

from tests.helpers.changing import to_plan
from tests.helpers.included_calls import (
    Holding,
    day,
    hold,
    left,
    sell_included,
    sweep,
    units_billed,
    use,
)
from tests.helpers.market import Market

D = Decimal


async def left_on(acme: Holding, *days: tuple[int, int]) -> list[Decimal]:
    """What checks leave at the turn of the hour of each day, and an hour before it."""
    found = []
    for month, of_month in days:
        for hour in (14, 15):
            acme.desk.market.clock.advance(day(month, of_month, hour))
            found.append(await acme.left())
    return found


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
@pytest.mark.parametrize("priced", [False, True], ids=["hard", "priced"])
@pytest.mark.parametrize("anew", [False, True], ids=["returned", "taken anew"])
async def test_return_after_all_was_used__has_all_of_it_from_when_the_old_period_would_be_over(
    market: Market, priced: bool, anew: bool
) -> None:
    desk = await sell_included(market, priced=priced)
    acme = await hold(desk, used="100")
    await acme.end(10)
    if anew:
        market.clock.advance(day(4, 12))
        acme = Holding(desk, acme.holder, await desk.take("small", customer=acme.holder))
    else:
        await acme.come_back(4, 12)
    await market.bill(day(4, 12))
    found = [await acme.left()]
    if priced:
        await acme.use("7", 20)
    found += await left_on(acme, (5, 1))
    await use(desk, acme.holder, "90", day(5, 3))
    found.append(await acme.left())
    await use(desk, acme.holder, "15", day(5, 5))
    found.append(await acme.left())
    await sweep(desk)
    await market.bill(day(5, 12))
    found.append(await acme.left())
    await market.bill(day(5, 13))

    assert found == [D(0), D(0), D(100), D(10), D(0), D(100)]
    # 7 while all was used up, and 5 beyond the 100 that were there again.
    assert await units_billed(desk) == (12 if priced else 0)
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_returns_one_after_the_other__have_again_what_each_cut_period_had_used(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="70")
    await acme.end(10)
    await acme.come_back(4, 12)
    await acme.use("30", 13)
    await acme.end(14)
    await acme.come_back(4, 16)
    found = await left_on(acme, (5, 1), (5, 12))
    await market.bill(day(5, 16))
    found.append(await acme.left())

    # 70 of the period that would have run until 1 May, and 30 of the one until 12 May.
    assert found == [D(0), D(70), D(70), D(100), D(100)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_plan_that_follows_a_return__is_whole_again_in_place_of_the_one_it_left(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="100")
    await acme.end(10)
    await acme.come_back(4, 12)
    await acme.move("other", 14)
    found = [await acme.left()]
    await acme.use("50", 15)
    await acme.move("big", 16)
    found.append(await acme.left())
    await acme.move("other", 17)
    found += await left_on(acme, (5, 1))
    market.clock.advance(day(5, 2))
    await desk.change(acme.held, to_plan("small"), proration=Proration.NONE)
    found += await left_on(acme, (5, 3))
    await market.bill(day(5, 12))
    found.append(await acme.left())

    # 250 − 100; 1,000 − 150; 250 − 150, which is 250 − 50 from May on; 100 − 50; then another period.
    assert found == [D(150), D(850), D(100), D(200), D(50), D(50), D(100)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_end_before_it_is_whole_again__leaves_nothing_that_begins_later(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="100")
    await acme.end(10)
    for of_april in (12, 12, 20):
        await acme.come_back(4, of_april)
        await acme.end(of_april)
    await acme.come_back(4, 21)
    found = await left_on(acme, (5, 1), (5, 20))
    await use(desk, acme.holder, "100", day(5, 20, 15))
    found.append(await left(desk, acme.holder))

    assert found == [D(0), D(100), D(100), D(100), D(0)]
    assert await reconcile_credits(market.db, market.merchant_id) == []
