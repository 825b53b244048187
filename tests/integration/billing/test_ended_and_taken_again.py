"""An end and a new subscription to the same plan bring no fresh allowance (ENT-4, CRD-5, SUB-9)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_service_pb2

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.credit import read as credit
from candela_server.customer.model import Customer
from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.crediting import give, grant_now, revoke
from tests.helpers.included_calls import (
    bringing,
    day,
    left,
    sell_included,
    sweep,
    units_billed,
    use,
)
from tests.helpers.market import Market, fee

D = Decimal


async def end(desk: Desk, held: Subscription, of_april: int) -> None:
    desk.market.clock.advance(day(4, of_april))
    await desk.change(held, Cancellation(), NOW, Proration.NONE)


async def again(desk: Desk, holder: Customer, of_april: int, plan: str = "small") -> Subscription:
    """A new subscription."""
    desk.market.clock.advance(day(4, of_april))
    return await desk.take(plan, customer=holder)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-9")
@pytest.mark.parametrize("swept", [False, True])
async def test_new_subscription_each_day__has_what_is_left(market: Market, swept: bool) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    found = [await left(desk, holder)]
    for number in range(3):
        await end(desk, held, 10 + 2 * number)
        if swept:
            await sweep(desk)
        held = await again(desk, holder, 11 + 2 * number)
        await use(desk, holder, "10", day(4, 11 + 2 * number, 20))
        found.append(await left(desk, holder))
    await end(desk, held, 20)
    # At the very instant of the end, too.
    held = await again(desk, holder, 20)
    found.append(await left(desk, holder))
    await market.bill(day(5, 20))
    found.append(await left(desk, holder))

    # 70 of 100, then 10 each time; from 20 May on it is another period.
    assert found == [D(30), D(20), D(10), D(0), D(0), D(100)]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-9")
async def test_new_subscription_at_a_price__is_billed_beyond_the_one_allowance(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "80", day(4, 5))
    await end(desk, held, 10)
    await again(desk, holder, 12)
    await use(desk, holder, "50", day(4, 14))
    await market.bill(day(5, 12))
    await market.bill(day(5, 13))

    # 130 used, 100 of them included.
    assert await units_billed(desk) == D(30)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-5", "SUB-9")
async def test_new_subscription_that_begins_later__counts_what_was_used_until_then(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    await desk.take("small", customer=holder, start_at=day(4, 12))
    await end(desk, held, 10)
    await market.bill(day(4, 12))

    assert await left(desk, holder) == D(30)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-9")
async def test_ways_round_by_returns_and_other_plans__bring_nothing_fresh(market: Market) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    first = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    await end(desk, first, 6)
    second = await again(desk, holder, 7)
    await use(desk, holder, "30", day(4, 8))
    found = [await left(desk, holder)]
    for number, plan in enumerate(["other", "small"]):
        market.clock.advance(day(4, 9 + number))
        await desk.change(second, to_plan(plan), proration=Proration.NONE)
        found.append(await left(desk, holder))
    await end(desk, second, 12)
    for number, one in enumerate([first, second, first]):
        market.clock.advance(day(4, 13 + 2 * number))
        await desk.change(one, Reactivation(price_id=None))
        found.append(await left(desk, holder))
        await end(desk, one, 14 + 2 * number)

    # 100 − 70 − 30; another plan's 250 less the 30 of this subscription; and nothing of "small" in any way.
    assert found == [D(0), D(220), D(0), D(0), D(0), D(0)]


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-9")
async def test_two_that_ran_side_by_side__count_what_was_used_once(market: Market) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    both = [await desk.take("small", customer=holder) for _ in range(2)]
    await market.bill(day(4, 1))
    await use(desk, holder, "50", day(4, 5))
    for one in both:
        await end(desk, one, 10)
    await again(desk, holder, 11)

    assert await left(desk, holder) == D(50)


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-9")
@pytest.mark.parametrize("why", ["over", "revoked", "runs", "other plan", "other customer"])
async def test_fresh_allowance__is_had_where_none_was_used_of_the_period(
    market: Market, why: str
) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("other" if why == "other plan" else "small", customer=holder)
    await market.bill(day(4, 1))
    if why == "revoked":
        async with market.db.reading(market.merchant_id) as tx:
            [grant] = await credit.list_grants_of_subscription(tx, held.id)
        await revoke(desk.market.shop, grant.id)
        await give(desk.market.shop, holder, "60", feature="calls")
    await use(desk, holder, "60", day(4, 5))
    if why != "runs":
        await end(desk, held, 10)
    if why == "other customer":
        holder = await market.sign_up()
    market.clock.advance(day(5, 2) if why == "over" else day(4, 12))
    made = await desk.take("small", customer=holder)
    async with market.db.reading(market.merchant_id) as tx:
        [fresh] = await credit.list_grants_of_subscription(tx, made.id)

    assert (await grant_now(desk.market.shop, fresh.id)).balance == D(100)


@pytest.mark.spec("CRD-6", "TRL-1", "ENT-4")
async def test_trial_taken_again__has_what_the_first_one_left_and_its_plan_all(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    trial: plan_service_pb2.CreatePlanRequest = bringing("50")
    trial.is_trial_plan, trial.trial_days = True, 14
    trial.trial_parent_plan.slug = "small"
    await desk.sell("tried", fee("0", name="Trial"), request=trial)
    holder = await market.sign_up()
    held = await desk.take("tried", customer=holder)
    await use(desk, holder, "40", day(4, 5))
    await end(desk, held, 6)
    held = await again(desk, holder, 7, "tried")
    found = [await left(desk, holder)]
    await end(desk, held, 8)
    await again(desk, holder, 9)
    found.append(await left(desk, holder))

    assert found == [D(10), D(100)]
