"""An end and a return bring no fresh allowance: what the period has used stays used (ENT-4, CRD-5, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_service_pb2

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_plan_flips import left, sell, units_billed
from tests.integration.billing.test_subscription_lives import bringing, day
from tests.integration.billing.test_trial_credits import sweep
from tests.integration.billing.test_unpriced_usage import use

D = Decimal
AGAIN = Reactivation(price_id=None)


async def end(desk: Desk, held: Subscription, of_april: int) -> None:
    desk.market.clock.advance(day(4, of_april))
    await desk.change(held, Cancellation(), NOW, Proration.NONE)


async def come_back(desk: Desk, held: Subscription, month: int, of_month: int) -> None:
    desk.market.clock.advance(day(month, of_month))
    await desk.change(held, AGAIN)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
@pytest.mark.parametrize("swept", [False, True])
async def test_end_and_return_within_the_period__leave_what_is_left(
    market: Market, swept: bool
) -> None:
    desk = await sell(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    found = [await left(desk, holder)]
    for number in range(3):
        await end(desk, held, 10 + 2 * number)
        if swept:
            await sweep(desk)
        await come_back(desk, held, 4, 11 + 2 * number)
        found.append(await left(desk, holder))
    await use(desk, holder, "30", day(4, 17))
    await end(desk, held, 18)
    # At the very instant of the end, too.
    await come_back(desk, held, 4, 18)
    found.append(await left(desk, holder))
    await market.bill(day(5, 18))
    found.append(await left(desk, holder))

    # 70 of 100 used, then the other 30; from 18 May on it is another period.
    assert found == [D(30), D(30), D(30), D(30), D(0), D(100)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_end_and_return_at_a_price__are_billed_beyond_the_one_allowance(
    market: Market,
) -> None:
    desk = await sell(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "80", day(4, 5))
    await end(desk, held, 10)
    await come_back(desk, held, 4, 12)
    await use(desk, holder, "50", day(4, 14))
    await market.bill(day(5, 12))
    await market.bill(day(5, 13))

    # 130 used, 100 of them included: a dollar for each of the other 30.
    assert await units_billed(desk) == D(30)
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_return_once_the_period_is_over__brings_the_whole_allowance(market: Market) -> None:
    desk = await sell(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "100", day(4, 5))
    await end(desk, held, 10)
    await come_back(desk, held, 5, 2)

    assert await left(desk, holder) == D(100)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_change_after_a_return__still_knows_what_was_used_before_it(market: Market) -> None:
    desk = await sell(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    await end(desk, held, 10)
    await come_back(desk, held, 4, 11)
    found = [await left(desk, holder)]
    for number, plan in enumerate(["other", "small"]):
        market.clock.advance(day(4, 12 + number))
        await desk.change(held, to_plan(plan), proration=Proration.NONE)
        found.append(await left(desk, holder))

    # 100 − 70, 250 − 70, 100 − 70
    assert found == [D(30), D(180), D(30)]


@pytest.mark.spec("CRD-6", "TRL-2", "SUB-6")
async def test_trial_that_ended_and_comes_back_as_its_plan__brings_all_of_the_plans(
    market: Market,
) -> None:
    desk = await sell(market, priced=False)
    trial: plan_service_pb2.CreatePlanRequest = bringing("50")
    trial.is_trial_plan, trial.trial_days = True, 14
    trial.trial_parent_plan.slug = "small"
    await desk.sell("tried", fee("0", name="Trial"), request=trial)
    holder = await market.sign_up()
    held = await desk.take("tried", customer=holder)
    await use(desk, holder, "40", day(4, 5))
    await end(desk, held, 6)
    await come_back(desk, held, 4, 7)

    assert await left(desk, holder) == D(100)
