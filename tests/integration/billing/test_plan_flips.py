"""From plan to plan within a period: one allowance, however often and in whatever order (ENT-4, CRD-5, SUB-6)."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import metric_pb2, plan_pb2

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.catalog.add_credit_definition import (
    AddCreditDefinition,
    add_credit_definition,
)
from candela_server.catalog.definition_wire import new_credit_definition_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.subscription.model import Proration

from tests.helpers.changing import to_plan, to_price
from tests.helpers.crediting import give
from tests.helpers.included_calls import (
    BIG,
    OTHER,
    SMALL,
    bringing,
    day,
    hold,
    left,
    sell_included,
    sweep,
    units_billed,
    use,
)
from tests.helpers.market import Market, fee

D = Decimal
NONE = Proration.NONE


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
@pytest.mark.parametrize("priced", [False, True], ids=["hard", "priced"])
async def test_plan_after_plan_and_back__brings_what_it_has_more_and_nothing_fresh(
    market: Market, priced: bool
) -> None:
    desk = await sell_included(market, priced=priced)
    acme = await hold(desk, used="100")
    found = [await acme.left()]
    for number, plan in enumerate(["other", "small", "other", "small"]):
        await acme.move(plan, 10 + number)
        await sweep(desk)
        found.append(await acme.left())
    await acme.move("other", 20)
    await acme.use("60", 21)
    found.append(await acme.left())
    await market.bill(day(5, 1))
    await market.bill(day(5, 2))
    found.append(await acme.left())

    # 100 of 100 used: the other plan brings 250 − 100 = 150, the small one 100 − 100 = 0, there and back twice.
    # Then 60 of the 150 are used, and with May there are 250.
    assert found == [D(0), D(150), D(0), D(150), D(0), D(90), D(250)]
    assert await units_billed(desk) == 0
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_use_that_was_paid_with_money__takes_nothing_off_the_next_plan(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    acme = await hold(desk, used="150")
    await acme.move("big", 10)
    await sweep(desk)

    # 100 came with the plan, 50 cost a dollar each; the bigger plan brings 1,000 − 100.
    assert await acme.left() == D(900)
    await market.bill(day(5, 1))
    await market.bill(day(5, 2))
    assert await units_billed(desk) == D(50)


@pytest.mark.spec("ENT-4", "CRD-5", "CRD-9")
async def test_gift_there_and_back__is_whole_and_pays_after_the_plans(market: Market) -> None:
    desk = await sell_included(market, priced=False)
    acme = await hold(desk)
    await give(desk.market.shop, acme.holder, "500", feature="calls")
    await acme.use("70", 5)
    found = [await acme.left()]
    for number, plan in enumerate(["other", "small"]):
        await acme.move(plan, 10 + number)
        found.append(await acme.left())
    await acme.use("45", 20)
    found.append(await acme.left())
    await market.bill(day(5, 1))
    found.append(await acme.left())

    # 100 + 500 − 70; 250 − 70 + 500; 100 − 70 + 500; 45 used, 15 of them the gift's; in May 100 + 485.
    assert found == [D(530), D(680), D(530), D(485), D(585)]


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_change_at_the_instant_of_the_beginning__brings_the_new_plans_allowance(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    found = []
    for plan in ("other", "small", "other"):
        await desk.change(held, to_plan(plan), proration=NONE)
        found.append(await left(desk, holder))
    await use(desk, holder, "30", day(4, 2))
    for plan in ("small", "other", "small", "other"):
        await desk.change(held, to_plan(plan), proration=NONE)
        found.append(await left(desk, holder))

    assert found == [OTHER, SMALL, OTHER, D(70), D(220), D(70), D(220)]


@pytest.mark.spec("ENT-4", "EVT-5", "SUB-6")
async def test_unique_users__are_counted_for_the_whole_period_whatever_the_plan(
    market: Market,
) -> None:
    metric = metric_pb2.NewMetric(
        aggregation=metric_pb2.AGGREGATION_UNIQUE,
        unique_of=metric_pb2.UNIQUE_OF_PROPERTY,
        property="seat",
    )
    desk = await sell_included(market, priced=False, metric=metric)
    acme = await hold(desk)
    market.clock.advance(day(4, 5))
    for number in range(40):
        await market.use(acme.holder, "1", day(4, 5), {"seat": f"s{number}"})
    found = [await acme.left()]
    for number, plan in enumerate(["other", "small"]):
        await acme.move(plan, 10 + number)
        found.append(await acme.left())
    market.clock.advance(day(4, 20))
    await market.use(acme.holder, "1", day(4, 20), {"seat": "s1"})

    # 40 users: 60 of 100 are left, 210 of 250, and 60 again; who was counted counts once.
    assert [*found, await acme.left()] == [D(60), D(210), D(60), D(60)]


@pytest.mark.spec("ENT-4", "CRD-2", "SUB-4")
async def test_prices_with_credits_of_their_own_there_and_back__bring_nothing_fresh(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=False)
    terms = bringing("100")
    yearly = fee("99", name="Yearly", rule="FREQ=YEARLY")
    terms.prices.append(plan_pb2.NewPrice(currency="USD", components=[yearly]))
    new = new_credit_definition_from_proto(terms.credit_definitions[0])
    del terms.credit_definitions[:]
    made = await desk.sell("twofold", fee("10", name="Monthly"), request=terms)
    for price in made.prices:
        async with market.db.writing(market.merchant_id) as tx:
            await add_credit_definition(
                tx,
                market.clock,
                AddCreditDefinition(
                    plan=BySlug("twofold"), price_id=price.id, component_id=None, new=new
                ),
            )
    holder = await market.sign_up()
    held = await desk.take("twofold", customer=holder)
    [other] = [one.id for one in made.prices if one.id != held.version.price_id]
    await market.bill(day(4, 1))
    await use(desk, holder, "80", day(4, 5))
    found = [await left(desk, holder)]
    market.clock.advance(day(4, 10))
    for price_id in (other, held.version.price_id, other, held.version.price_id):
        await desk.change(held, to_price(price_id), proration=NONE)
        found.append(await left(desk, holder))

    # 100 each, of which 80 are used.
    assert found == [D(20)] * 5


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
@pytest.mark.parametrize("priced", [False, True], ids=["hard", "priced"])
@pytest.mark.parametrize("seed", range(4))
async def test_any_way_through_the_plans__pays_for_no_more_than_the_greatest_and_bills_the_rest(
    market: Market, seed: int, priced: bool
) -> None:
    """The law: what is left is what the plan in force brings less what plans paid for in the period, never below 0."""
    draw = random.Random(seed)
    brings = {"small": SMALL, "big": BIG, "other": OTHER}
    desk = await sell_included(market, priced=priced)
    plan = draw.choice(sorted(brings))
    acme = await hold(desk, plan)
    held_plans, paid, used = {plan}, D(0), D(0)
    at: datetime = day(4, 1)
    for _ in range(12):
        at += timedelta(hours=draw.randint(1, 40))
        remaining = max(brings[plan] - paid, D(0))
        if draw.random() < 0.5:
            wanted = D(draw.choice([1, 30, 90, 160]))
            # Who may use no more, does not.
            amount = wanted if priced else min(wanted, remaining)
            if amount:
                await use(desk, acme.holder, str(amount), at)
                used += amount
                paid += min(amount, remaining)
        else:
            market.clock.advance(at)
            plan = draw.choice(sorted(brings.keys() - {plan}))
            held_plans.add(plan)
            await desk.change(acme.held, to_plan(plan), proration=NONE)
            if draw.random() < 0.5:
                await sweep(desk)
        assert await acme.left() == max(brings[plan] - paid, D(0))
    assert paid <= max(brings[one] for one in held_plans)
    await market.bill(day(5, 1))
    await market.bill(day(5, 2))

    assert await units_billed(desk) == used - paid
    assert await acme.left() == brings[plan]
    assert await reconcile_credits(market.db, market.merchant_id) == []
