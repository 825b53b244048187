"""What is used in a pause is billed by nobody, and counted by no check once it is over (ENT-4, SUB-6, CRD-8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal

import pytest
import pytest_asyncio
from candela.catalog.v1 import feature_pb2, plan_service_pb2

from candela_server.billing.auto_top_up import (
    UpdateAutoTopUp,
    buy_below_thresholds,
    update_auto_top_up,
)
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.money import Money
from candela_server.subscription.change import Pause, Resume
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.acting import acting_as
from tests.helpers.changing import Desk, to_plan
from tests.helpers.crediting import give
from tests.helpers.included_calls import bringing, day, units_billed
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.checked_year import Year
from tests.integration.entitlement.reserving import Shop, open_desk

D = Decimal


@pytest_asyncio.fixture(loop_scope="session")
async def year(market: Market, redis_url: str) -> AsyncIterator[Year]:
    """It is 1 April 2026, 15:00, and calls are a metric."""
    market.clock.advance(day(4, 1))
    async with AsyncExitStack() as open_ones:
        shop = Shop(market.db, market.clock, market.merchant_id)
        server = await open_ones.enter_async_context(open_desk(shop, market.events, redis_url))
        await market.sell(fee("1"), calls(flat("1")))
        yield Year(desk=Desk(market), server=server)


def numbered(number: str, *, hard: bool = False) -> plan_service_pb2.CreatePlanRequest:
    """A plan that includes so many calls a month as a number of its own."""
    terms = bringing("1")
    del terms.credit_definitions[:]
    terms.features[0].value.number = number
    if hard:
        terms.features[0].limit_behavior = feature_pb2.LIMIT_BEHAVIOR_HARD
    return terms


async def take(
    year: Year, terms: plan_service_pb2.CreatePlanRequest, *, priced: bool = True
) -> tuple[Customer, Subscription]:
    """Somebody who takes such a plan, where a call costs a dollar beyond credit if it is priced."""
    desk = year.desk
    await desk.sell("paused", fee("1"), *((calls(flat("1")),) if priced else ()), request=terms)
    holder = await desk.market.sign_up()
    held = await desk.take("paused", customer=holder)
    await desk.market.bill(day(4, 1))
    return holder, held


async def pause(
    year: Year, holder: Customer, held: Subscription, proration: Proration | None = None
) -> None:
    """From 10 April to the 12th, with 45 calls in between."""
    market = year.desk.market
    market.clock.advance(day(4, 10))
    await year.desk.change(held, Pause(resume_at=None), proration=proration)
    await year.use(holder, "45", at=day(4, 11))
    market.clock.advance(day(4, 12))
    await year.desk.change(held, Resume(), proration=proration)


@pytest.mark.spec("ENT-4", "SUB-6", "CRD-8")
@pytest.mark.parametrize("proration", [Proration.NEXT_INVOICE, Proration.INVOICE_NOW])
@pytest.mark.parametrize("priced", [True, False], ids=["priced", "unpriced"])
async def test_included_calls_used_in_a_pause__are_taken_off_nothing(
    year: Year, proration: Proration, priced: bool
) -> None:
    holder, held = await take(year, bringing("100"), priced=priced)
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held, proration)
    found = [await year.left(holder)]
    await year.use(holder, "10", at=day(4, 13))
    found.append(await year.left(holder))
    # Told late, of the time before the pause and of the pause itself.
    await year.use(holder, "3", at=day(4, 11))
    found.append(await year.left(holder))
    await year.use(holder, "35", at=day(4, 20))
    found.append(await year.left(holder))
    await year.bill()

    # 60 + 10 + 35 of 100: what a check leaves without a price, an invoice bills at one.
    assert found == [D(40), D(30), D(30), D(0)]
    assert await units_billed(year.desk) == (5 if priced else 0)


@pytest.mark.spec("ENT-4", "SUB-6")
async def test_included_calls_used_in_a_pause__are_no_use_that_is_shown(year: Year) -> None:
    holder, held = await take(year, bringing("100"))
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held)
    await year.use(holder, "50", at=day(4, 13))
    usage = await year.usage(holder)

    assert (usage.used, usage.limit, usage.overage) == (D(110), D(100), D(10))


@pytest.mark.spec("ENT-4", "ENT-9", "SUB-6")
@pytest.mark.parametrize("priced", [True, False], ids=["priced", "unpriced"])
async def test_number_that_refuses__goes_on_after_the_pause_where_it_stood_before_it(
    year: Year, priced: bool
) -> None:
    holder, held = await take(year, numbered("100", hard=True), priced=priced)
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held)
    found = [await year.left(holder)]
    too_much = await year.server.consume(holder, "41", "calls")
    fits = await year.server.consume(holder, "40", "calls")

    assert found == [D(40)]
    assert [too_much.consumed, fits.consumed] == [False, True]


@pytest.mark.spec("ENT-4", "SUB-6")
async def test_calls_without_a_limit__are_shown_without_those_of_the_pause(year: Year) -> None:
    terms = bringing("1")
    del terms.credit_definitions[:]
    holder, held = await take(year, terms)
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held)
    await year.use(holder, "7", at=day(4, 13))
    shown = (await year.server.check(holder, "calls")).usage
    await year.bill()

    assert shown is not None
    assert shown.used == 67
    assert await units_billed(year.desk) == 67


@pytest.mark.spec("CRD-8", "CRD-10", "SUB-6")
async def test_number_beside_a_gift__is_not_used_up_by_the_pause(year: Year) -> None:
    holder, held = await take(year, numbered("100"), priced=False)
    gift = await give(year.desk.market.shop, holder, "500", feature="calls")
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held)
    await year.use(holder, "50", at=day(4, 13))
    found = [await year.left(holder)]
    await year.bill()

    # 110 of 600, of which the number bears 100.
    assert found == [D(490)]
    assert await year.balance(gift) == 490


@pytest.mark.spec("CRD-9", "SUB-6")
async def test_pack_that_buys_itself__is_not_bought_for_what_the_pause_used(year: Year) -> None:
    holder, held = await take(year, bringing("100"))
    market = year.desk.market
    command = UpdateAutoTopUp(
        customer=CustomerById(holder.id),
        feature=BySlug("calls"),
        enabled=True,
        threshold=D(40),
        amount=D(100),
        price=Money(currency="USD", amount=D(15)),
        monthly_cap_count=2,
    )
    with acting_as(market.merchant_id):
        async with market.db.writing(market.merchant_id) as tx:
            await update_auto_top_up(tx, market.clock, command)
    await year.use(holder, "60", at=day(4, 5))
    await pause(year, holder, held)
    bought = []
    for amount in ("0", "1"):
        await year.use(holder, amount, at=day(4, 13))
        bought.append(
            await buy_below_thresholds(market.db, market.events, market.clock, market.merchant_id)
        )

    # 40 are left, then 39.
    assert bought == [0, 1]


@pytest.mark.spec("CRD-5", "CRD-8", "SUB-6")
async def test_part_that_waits_for_the_next_invoice__is_paid_by_its_credits_whatever_ends_before(
    year: Year,
) -> None:
    holder, held = await take(year, bringing("100"))
    market = year.desk.market
    await year.desk.sell("next", fee("2"), calls(flat("1")), request=bringing("50"))
    await year.use(holder, "70", at=day(4, 5))
    market.clock.advance(day(4, 8))
    await year.desk.change(held, to_plan("next"), proration=Proration.NEXT_INVOICE)
    # A later part is billed at once, and final before the earlier one is billed.
    await pause(year, holder, held, Proration.INVOICE_NOW)
    await market.bill(day(4, 14))
    await market.bill(day(4, 16))
    await year.bill()

    assert await units_billed(year.desk) == 0
