"""What is carried over of credits whose usage costs nothing is what was not used (CRD-3, CRD-5, CRD-8)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from google.protobuf.duration_pb2 import Duration

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.model import Proration
from candela_server.subscription.renew_by_rule import renew_due

from tests.helpers.changing import Desk, to_plan
from tests.helpers.crediting import grants_of
from tests.helpers.included_calls import bringing, day, left, sweep, use
from tests.helpers.market import Market, fee
from tests.integration.credit.test_life_of_credits import (
    coming_with,
    terms_without_price,
)

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "limited" brings 100 calls a month, up to 50 of which are carried over."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    request = bringing("100", existing=False)
    request.credit_definitions[0].rollover_cap = "50"
    await made.sell("limited", fee("10", name="Limited"), request=terms_without_price(request))
    return made


@pytest.mark.spec("CRD-3", "CRD-5", "CRD-8", "ENT-4")
@pytest.mark.parametrize("used", ["0", "30", "80", "100"])
@pytest.mark.parametrize("swept_first", [False, True])
async def test_credit_of_calls_that_cost_nothing__is_carried_over_as_far_as_it_was_not_used(
    desk: Desk, used: str, swept_first: bool
) -> None:
    holder = await desk.market.sign_up()
    await desk.take("limited", customer=holder)
    await desk.market.bill(day(4, 1))
    await use(desk, holder, used, day(4, 5))
    desk.market.clock.advance(day(5, 1))
    if swept_first:
        await sweep(desk)
    await desk.market.bill(day(5, 1))
    await sweep(desk)

    # May: its own 100, and of April's 100 what was not used, 50 at most.
    assert await left(desk, holder) == 100 + min(D(50), 100 - D(used))
    assert await reconcile_credits(desk.market.db, desk.market.merchant_id) == []


async def sell_weekly(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "weekly" brings 100 calls a week, up to 30 of which are carried over."""
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    terms = coming_with(
        renewal_rule="FREQ=WEEKLY", expires_after=Duration(seconds=7 * 86_400), rollover_cap="30"
    )
    await desk.sell("weekly", fee("10", name="Weekly"), request=terms_without_price(terms))
    return desk


@pytest.mark.spec("CRD-3", "CRD-5", "ENT-4")
async def test_weekly_credit_within_a_monthly_period__is_carried_over_as_far_as_it_was_not_used(
    market: Market,
) -> None:
    desk = await sell_weekly(market)
    holder = await market.sign_up()
    await desk.take("weekly", customer=holder)
    await market.bill(day(4, 1))
    found = []
    for week, used in enumerate(["90", "105", "20", "0"]):
        await use(desk, holder, used, day(4, 3 + 7 * week))
        market.clock.advance(day(4, 8 + 7 * week))
        await renew_due(market.db, market.merchant_id, now=market.clock.now())
        await sweep(desk)
        found.append(await left(desk, holder))

    # 10 of 100 are left of the first week, 5 of 110 of the second, and of 85 and of 130 the cap.
    assert found == [D(110), D(105), D(130), D(130)]


@pytest.mark.spec("CRD-3", "CRD-5", "SUB-6")
async def test_weekly_credit_of_a_plan_that_was_left__expires_and_holds_up_nobody(
    market: Market,
) -> None:
    desk = await sell_weekly(market)
    await desk.sell("plain", fee("5", name="Plain"))
    holder = await market.sign_up()
    held = await desk.take("weekly", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "20", day(4, 3))
    await desk.change(held, to_plan("plain"), proration=Proration.NONE)
    market.clock.advance(day(4, 9))
    await sweep(desk)

    assert [one.balance for one in await grants_of(market.shop, holder)] == [D(0)]
    assert await reconcile_credits(market.db, market.merchant_id) == []
