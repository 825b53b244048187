"""An end and a return bring no fresh allowance: what the period has used stays used (ENT-4, CRD-5, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_service_pb2

from candela_server.billing.reconcile_credits import reconcile_credits

from tests.helpers.included_calls import (
    bringing,
    day,
    hold,
    sell_included,
    sweep,
    units_billed,
)
from tests.helpers.market import Market, fee

D = Decimal


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
@pytest.mark.parametrize("swept", [False, True])
async def test_end_and_return_within_the_period__leave_what_is_left(
    market: Market, swept: bool
) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="70")
    found = [await acme.left()]
    for number in range(3):
        await acme.end(10 + 2 * number)
        if swept:
            await sweep(desk)
        await acme.come_back(4, 11 + 2 * number)
        found.append(await acme.left())
    await acme.use("30", 17)
    await acme.end(18)
    # At the very instant of the end, too.
    await acme.come_back(4, 18)
    found.append(await acme.left())
    await market.bill(day(5, 18))
    found.append(await acme.left())

    # 70 of 100 used, then the other 30; from 18 May on it is another period.
    assert found == [D(30), D(30), D(30), D(30), D(0), D(100)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_end_and_return_at_a_price__are_billed_beyond_the_one_allowance(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    acme = await hold(desk, used="80")
    await acme.end(10)
    await acme.come_back(4, 12)
    await acme.use("50", 14)
    await market.bill(day(5, 12))
    await market.bill(day(5, 13))

    # 130 used, 100 of them included: a dollar for each of the other 30.
    assert await units_billed(desk) == D(30)
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_return_once_the_period_is_over__brings_the_whole_allowance(market: Market) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="100")
    await acme.end(10)
    await acme.come_back(5, 2)

    assert await acme.left() == D(100)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_change_after_a_return__still_knows_what_was_used_before_it(market: Market) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk, used="70")
    await acme.end(10)
    await acme.come_back(4, 11)
    found = [await acme.left()]
    for number, plan in enumerate(["other", "small"]):
        await acme.move(plan, 12 + number)
        found.append(await acme.left())

    # 100 − 70, 250 − 70, 100 − 70
    assert found == [D(30), D(180), D(30)]


@pytest.mark.spec("CRD-6", "TRL-2", "SUB-6")
async def test_trial_that_ended_and_comes_back_as_its_plan__brings_all_of_the_plans(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    trial: plan_service_pb2.CreatePlanRequest = bringing("50")
    trial.is_trial_plan, trial.trial_days = True, 14
    trial.trial_parent_plan.slug = "small"
    await desk.sell("tried", fee("0", name="Trial"), request=trial)
    acme = await hold(desk, "tried", used="40")
    await acme.end(6)
    await acme.come_back(4, 7)

    assert await acme.left() == D(100)
