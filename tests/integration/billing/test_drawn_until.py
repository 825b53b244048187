"""What the end of terms within a period has drawn is not counted again by checks (ENT-4, CRD-8, CRD-9, SUB-6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import metric_pb2, plan_pb2

from candela_server.billing.auto_top_up import (
    UpdateAutoTopUp,
    buy_below_thresholds,
    update_auto_top_up,
)
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.catalog.create_price import create_price
from candela_server.catalog.price import PriceId
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.money import Money
from candela_server.subscription.change import Pause, Resume
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.acting import acting_as
from tests.helpers.changing import AT, Desk, to_plan, to_price
from tests.helpers.crediting import give, grant_now
from tests.helpers.included_calls import bringing, day, left, sell_included, use
from tests.helpers.market import Market, fee
from tests.integration.credit.test_life_of_credits import terms_without_price

D = Decimal
NONE = Proration.NONE
QUARTER = timedelta(minutes=7, microseconds=3)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00. "limited" brings 100 calls a month; calls cost nothing.

    "bare" has calls, and brings none of its own.
    """
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell(
        "limited",
        fee("10", name="Limited"),
        request=terms_without_price(bringing("100", existing=False)),
    )
    bare = bringing("1")
    del bare.credit_definitions[:]
    await made.sell("bare", fee("5", name="Bare"), request=bare)
    return made


async def start(desk: Desk, plan: str = "limited") -> tuple[Customer, Subscription]:
    holder = await desk.market.sign_up()
    held = await desk.take(plan, customer=holder)
    await desk.market.bill(day(4, 1))
    return holder, held


async def other_price(desk: Desk, plan: str) -> PriceId:
    """Another price of a plan, with months as before."""
    new = plan_pb2.NewPrice(currency="USD", components=[fee("20", name="Dearer")])
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        plan_id = desk.plans[plan].plan.id
        made, _ = await create_price(tx, desk.market.clock, plan_id, price_from_proto(new), {})
    return made.id


async def to_other_price(
    desk: Desk, held: Subscription, at: datetime, plan: str = "limited"
) -> None:
    desk.market.clock.advance(at)
    await desk.change(held, to_price(await other_price(desk, plan)), proration=NONE)


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6")
async def test_other_prices_of_one_plan__leave_what_is_left(desk: Desk) -> None:
    holder, held = await start(desk)
    await use(desk, holder, "70", day(4, 5))
    found = [await left(desk, holder)]
    for number in range(3):
        await to_other_price(desk, held, day(4, 10 + number) + QUARTER * number)
        found.append(await left(desk, holder))
    await use(desk, holder, "10", day(4, 15))
    found.append(await left(desk, holder))
    await to_other_price(desk, held, day(4, 20))
    found.append(await left(desk, holder))
    await desk.market.bill(day(5, 1))
    found.append(await left(desk, holder))

    # 70 of 100, whatever the price; then 10 more of the 30. May has 100 again.
    assert found == [D(30), D(30), D(30), D(30), D(20), D(20), D(100)]
    assert await reconcile_credits(desk.market.db, desk.market.merchant_id) == []


@pytest.mark.spec("ENT-4", "CRD-9", "SUB-6")
@pytest.mark.parametrize("plan", ["limited", "bare"])
async def test_gift_that_a_change_has_drawn_from__has_that_less_and_no_more(
    desk: Desk, plan: str
) -> None:
    holder, held = await start(desk, plan)
    gift = await give(desk.market.shop, holder, "500", feature="calls")
    await use(desk, holder, "130", day(4, 5))
    found = [await left(desk, holder)]
    await to_other_price(desk, held, day(4, 10), plan)
    found.append(await left(desk, holder))
    await use(desk, holder, "50", day(4, 15))
    await to_other_price(desk, held, day(4, 20), plan)
    found.append(await left(desk, holder))
    await desk.market.bill(day(5, 1))

    brings = D(100) if plan == "limited" else D(0)
    assert found == [brings + 370, brings + 370, brings + 320]
    # In May the plan's own are there again, and of the gift what was left of it.
    assert (await grant_now(desk.market.shop, gift.id)).balance == brings + 320
    assert await left(desk, holder) == 2 * brings + 320


@pytest.mark.spec("ENT-4", "CRD-9", "SUB-6")
async def test_pause__counts_what_was_used_before_it_once(desk: Desk) -> None:
    holder, held = await start(desk)
    gift = await give(desk.market.shop, holder, "500", feature="calls")
    await use(desk, holder, "130", day(4, 5))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Pause(resume_at=None))
    await use(desk, holder, "9", day(4, 11))
    desk.market.clock.advance(day(4, 12))
    await desk.change(held, Resume())
    found = [await left(desk, holder)]
    await use(desk, holder, "50", day(4, 15))
    found.append(await left(desk, holder))
    await desk.market.bill(day(5, 1))

    # 100 + 500 − 130, and nothing for what was used in the pause; then 50 of the gift
    assert found == [D(470), D(420)]
    assert (await grant_now(desk.market.shop, gift.id)).balance == D(420)


@pytest.mark.spec("ENT-4", "CAT-8", "SUB-8")
async def test_number_beside_a_gift__is_one_for_the_period_whatever_the_price(desk: Desk) -> None:
    numbered = bringing("1")
    del numbered.credit_definitions[:]
    numbered.features[0].value.number = "1000"
    await desk.sell("numbered", fee("5", name="Numbered"), request=numbered)
    holder, held = await start(desk, "numbered")
    await give(desk.market.shop, holder, "500", feature="calls")
    await use(desk, holder, "600", day(4, 5))
    found = [await left(desk, holder)]
    for number in range(2):
        await to_other_price(desk, held, day(4, 10 + number), "numbered")
        found.append(await left(desk, holder))

    assert found == [D(900)] * 3


@pytest.mark.spec("ENT-4", "EVT-5", "SUB-6")
async def test_unique_users__are_counted_once_for_the_period_whatever_the_price(
    market: Market,
) -> None:
    metric = metric_pb2.NewMetric(
        aggregation=metric_pb2.AGGREGATION_UNIQUE,
        unique_of=metric_pb2.UNIQUE_OF_PROPERTY,
        property="seat",
    )
    desk = await sell_included(market, priced=False, metric=metric)
    holder, held = await start(desk, "small")
    market.clock.advance(day(4, 5))
    for number in range(40):
        await market.use(holder, "1", day(4, 5), {"seat": f"s{number}"})
    found = [await left(desk, holder)]
    for number in range(2):
        await to_other_price(desk, held, day(4, 10 + number), "small")
        found.append(await left(desk, holder))
    market.clock.advance(day(4, 20))
    await market.use(holder, "1", day(4, 20), {"seat": "s1"})

    assert [*found, await left(desk, holder)] == [D(60)] * 4


@pytest.mark.spec("ENT-4", "CRD-8", "EVT-9")
async def test_use_that_is_told_after_the_cut_and_was_before_it__counts_neither_now_nor_as_the_period_ends(
    desk: Desk,
) -> None:
    holder, held = await start(desk)
    gift = await give(desk.market.shop, holder, "500", feature="calls")
    await use(desk, holder, "130", day(4, 5))
    await to_other_price(desk, held, day(4, 10) + QUARTER)
    # In the same quarter of an hour as the cut, before it and after it.
    await desk.market.use(holder, "7", day(4, 10) + QUARTER - timedelta(microseconds=1))
    found = [await left(desk, holder)]
    await desk.market.use(holder, "20", day(4, 10) + QUARTER)
    found.append(await left(desk, holder))
    await desk.market.bill(day(5, 1))

    assert found == [D(470), D(450)]
    assert (await grant_now(desk.market.shop, gift.id)).balance == D(450)


@pytest.mark.spec("ENT-4", "CRD-8", "EVT-4")
async def test_use_that_is_taken_back_after_the_cut__gives_back_nothing_that_was_drawn(
    desk: Desk,
) -> None:
    holder, held = await start(desk)
    gift = await give(desk.market.shop, holder, "500", feature="calls")
    desk.market.clock.advance(day(4, 5))
    key = await desk.market.use(holder, "130", day(4, 5))
    await to_other_price(desk, held, day(4, 10))
    await desk.market.take_back(key)
    found = [await left(desk, holder)]
    await use(desk, holder, "20", day(4, 11))
    found.append(await left(desk, holder))
    await desk.market.bill(day(5, 1))

    assert found == [D(470), D(450)]
    assert (await grant_now(desk.market.shop, gift.id)).balance == D(450)


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6")
async def test_change_that_draws_nothing_because_another_subscription_does__moves_no_window(
    desk: Desk,
) -> None:
    holder, _ = await start(desk)
    younger = await desk.take("limited", customer=holder)
    await desk.market.bill(day(4, 1))
    await use(desk, holder, "70", day(4, 5))
    found = [await left(desk, holder)]
    await to_other_price(desk, younger, day(4, 10))
    found.append(await left(desk, holder))

    assert found == [D(30), D(30)]


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-5")
async def test_change_that_was_planned_and_is_noticed_late__counts_from_its_instant(
    desk: Desk,
) -> None:
    holder, held = await start(desk)
    other = await other_price(desk, "limited")
    await desk.change(held, to_price(other), AT, NONE, effective_at=day(4, 10))
    await use(desk, holder, "40", day(4, 5))
    await use(desk, holder, "25", day(4, 12))
    before = await left(desk, holder)
    await desk.market.bill(day(4, 12))

    assert [before, await left(desk, holder)] == [D(35), D(35)]


@pytest.mark.spec("ENT-4", "CRD-5", "SUB-6")
async def test_another_plan_after_another_price__knows_what_the_period_used_in_all(
    desk: Desk,
) -> None:
    await desk.sell("big", fee("15", name="Big"), request=bringing("1000"))
    holder, held = await start(desk)
    await use(desk, holder, "60", day(4, 5))
    await to_other_price(desk, held, day(4, 10))
    await use(desk, holder, "20", day(4, 12))
    desk.market.clock.advance(day(4, 14))
    await desk.change(held, to_plan("big"), proration=NONE)
    found = [await left(desk, holder)]
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("limited"), proration=NONE)
    found.append(await left(desk, holder))

    # 1,000 − 80, and back to 100 − 80
    assert found == [D(920), D(20)]


@pytest.mark.spec("CRD-9", "CRD-8", "SUB-6")
async def test_purchase_by_itself__looks_at_what_was_used_since_the_cut(desk: Desk) -> None:
    holder, held = await start(desk)
    command = UpdateAutoTopUp(
        customer=CustomerById(holder.id),
        feature=BySlug("calls"),
        enabled=True,
        threshold=D(20),
        amount=D(100),
        price=Money(currency="USD", amount=D(15)),
        monthly_cap_count=2,
    )
    market = desk.market
    with acting_as(market.merchant_id):
        async with market.db.writing(market.merchant_id) as tx:
            await update_auto_top_up(tx, market.clock, command)

    async def bought() -> int:
        return await buy_below_thresholds(
            market.db, market.events, market.clock, market.merchant_id
        )

    await use(desk, holder, "70", day(4, 5))
    found = [await bought()]
    await to_other_price(desk, held, day(4, 10))
    found.append(await bought())
    await use(desk, holder, "11", day(4, 12))
    found.append(await bought())

    # 30 are left, whatever the price; then 19, which is below 20.
    assert found == [0, 0, 1]
