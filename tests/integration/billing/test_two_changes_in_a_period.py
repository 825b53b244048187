"""Two changes of plan before what the first one cut is billed: its credits still pay for it (SUB-6, CRD-5)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.model import Proration

from tests.helpers.changing import Desk, to_plan
from tests.helpers.included_calls import bringing, day, sweep
from tests.helpers.market import Market, calls, fee, flat

D = Decimal


@pytest.mark.spec("SUB-6", "CRD-5", "CRD-7")
@pytest.mark.parametrize("last", ["third", "small"])
async def test_second_change_to_a_plan_without_the_metric__leaves_the_first_plans_credits_to_its_usage(
    market: Market, last: str
) -> None:
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await market.sell(fee("1"), calls(flat("1")))
    await desk.sell("small", fee("10", name="Small"), calls(flat("1")), request=bringing("100"))
    await desk.sell("other", fee("20", name="Other"))
    await desk.sell("third", fee("30", name="Third"))
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    market.clock.advance(day(4, 3))
    await market.use(holder, "130", day(4, 2))
    for number, plan in enumerate(["other", last]):
        market.clock.advance(day(4, 10 + number))
        await desk.change(held, to_plan(plan), proration=Proration.NONE)
        await sweep(desk)
    await market.bill(day(5, 1))
    await market.bill(day(5, 1, 17))

    # 130 calls of which the plan that was left included 100
    lines = [line for some in await market.lines() for line in some if "usage" in line[0]]
    assert lines[:2] == [("usage", "130.00"), ("usage_credit", "-100.00")]
    assert sum(D(amount) for _, amount in lines) == 30
    assert await reconcile_credits(market.db, market.merchant_id) == []
