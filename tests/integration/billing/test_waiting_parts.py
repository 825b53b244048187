"""What a plan that was left used, and the next invoice bills, takes its share of a gift before later use (ENT-4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from candela_server.billing.auto_top_up import UpdateAutoTopUp, update_auto_top_up
from candela_server.billing.model import LineKind
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import CustomerById
from candela_server.kernel.money import Money
from candela_server.subscription.model import Proration

from tests.helpers.acting import acting_as
from tests.helpers.changing import to_plan, to_price
from tests.helpers.included_calls import bringing, day
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.billed_early import Held, gift, open_held
from tests.integration.billing.checked_year import look

D = Decimal
BILLS_CALLS = {LineKind.USAGE, LineKind.USAGE_CREDIT}
WAITING = pytest.mark.parametrize("proration", [Proration.NEXT_INVOICE, Proration.NONE])


@pytest_asyncio.fixture(loop_scope="session")
async def held(market: Market, redis_url: str) -> AsyncIterator[Held]:
    """Somebody with 100 calls a month, who may move to 1,000 or 250 a month. More cost a dollar each."""
    async with open_held(market, redis_url) as opened:
        for slug, amount in (("big", "1000"), ("other", "250")):
            await opened.desk.sell(
                slug, fee("3"), calls(flat("1")), request=bringing(amount, existing=True)
            )
        yield opened


async def _move(held: Held, plan: str, of_april: int, proration: Proration) -> None:
    held.desk.market.clock.advance(day(4, of_april))
    await held.desk.change(held.subscription, to_plan(plan), proration=proration)


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6", "EVT-7")
@WAITING
async def test_plan_left_that_used_of_a_gift__leaves_the_next_plan_the_rest_of_it(
    held: Held, proration: Proration
) -> None:
    given = await gift(held)
    await held.use("130", day(4, 5))
    found = [await held.left()]
    await _move(held, "big", 10, proration)
    found.append(await held.left())
    await held.use("1000", day(4, 20))
    found.append(await held.left())
    cost, _ = await held.end()

    # The small plan's 100 and 30 of the gift; then 900, which the big one brings more, and 100 of the gift.
    assert found == [D(470), D(900 + 470), D(370)]
    assert cost == 0
    assert await held.year.balance(given) == 370


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6", "DSL-7")
@WAITING
async def test_gift_that_the_plan_left_has_used_up__pays_for_nothing_under_the_next_plan(
    held: Held, proration: Proration
) -> None:
    await gift(held)
    await held.use("700", day(4, 5))
    await _move(held, "big", 10, proration)
    found = [await held.left()]
    await held.use("950", day(4, 20))
    found.append(await held.left())
    over = (await held.year.usage(held.holder)).overage
    cost, _ = await held.end()

    # 100 beyond 100 and the gift's 500; then 50 beyond 900.
    assert found == [D(900), D(0)]
    assert over == 50
    assert cost == 100 + 50


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6")
async def test_two_plans_that_were_left_and_wait__take_of_the_gift_both(held: Held) -> None:
    given = await gift(held)
    await held.use("130", day(4, 5))
    await _move(held, "other", 10, Proration.NEXT_INVOICE)
    await held.use("200", day(4, 12))
    await _move(held, "big", 15, Proration.NONE)
    found = [await held.left()]
    await _move(held, "included", 20, Proration.NEXT_INVOICE)
    found.append(await held.left())
    cost, _ = await held.end()

    # 30 beyond 100; of the 150 that came with the other plan all, and 50 of the gift; 750 are new, and then nothing.
    assert found == [D(750 + 420), D(420)]
    assert cost == 0
    assert await held.year.balance(given) == 420


@pytest.mark.spec("ENT-4", "CRD-8", "EVT-9", "EVT-4")
async def test_use_of_the_plan_left_that_is_told_late__is_taken_off_the_gift(held: Held) -> None:
    given = await gift(held)
    await held.use("130", day(4, 5))
    await _move(held, "big", 10, Proration.NEXT_INVOICE)
    key = await held.desk.market.use(held.holder, "20", day(4, 6))
    found = [await held.left()]
    await held.desk.market.take_back(key)
    found.append(await held.left())
    cost, _ = await held.end()

    assert found == [D(900 + 450), D(900 + 470)]
    assert cost == 0
    assert await held.year.balance(given) == 470


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6")
async def test_later_part_that_is_billed_first__leaves_as_much_as_in_the_order_of_use(
    held: Held,
) -> None:
    given = await gift(held)
    await held.use("130", day(4, 5))
    await _move(held, "other", 10, Proration.NEXT_INVOICE)
    await held.use("200", day(4, 12))
    await _move(held, "big", 15, Proration.INVOICE_NOW)
    found = [await held.left()]
    await held.pass_grace()
    found.append(await held.left())
    cost, _ = await held.end()

    assert found == [D(750 + 420)] * 2
    assert cost == 0
    assert await held.year.balance(given) == 420


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6", "DSL-7")
async def test_gift_after_the_plan_was_left__pays_for_later_use_though_that_is_billed_first(
    held: Held,
) -> None:
    first = await gift(held)
    await held.use("600", day(4, 5))
    await _move(held, "other", 10, Proration.NEXT_INVOICE)
    second = await gift(held)
    await held.use("300", day(4, 12))
    found = [await held.left()]
    await _move(held, "big", 15, Proration.INVOICE_NOW)
    found.append(await held.left())
    await held.pass_grace()
    cost, _ = await held.end()

    # The first gift is what waits needs beyond 100; 150 came with the other plan, so that the second one pays 150.
    assert found == [D(350), D(750 + 350)]
    assert cost == 0
    assert [await held.year.balance(one) for one in (first, second)] == [0, 350]


@pytest.mark.spec("CRD-8", "SUB-6", "DSL-7")
async def test_price_left_within_a_plan__takes_included_calls_before_a_part_that_is_billed_first(
    held: Held,
) -> None:
    await held.use("70", day(4, 5))
    await held.cut(day(4, 10), Proration.NEXT_INVOICE)
    await held.use("60", day(4, 15))
    await held.cut(day(4, 20))
    await held.pass_grace()
    early = (await held.billed()).lines
    cost, _ = await held.end()

    # Of 100 the first part takes 70, and leaves 30 of 60.
    assert sum(line.amount for line in early if line.kind in BILLS_CALLS) == 30
    assert cost == 30


@pytest.mark.spec("CRD-9", "CRD-8", "ENT-4")
async def test_pack_that_buys_itself__is_bought_for_what_a_waiting_part_takes(held: Held) -> None:
    market = held.desk.market
    await gift(held)
    await held.use("600", day(4, 5))
    await _move(held, "other", 10, Proration.NEXT_INVOICE)
    command = UpdateAutoTopUp(
        customer=CustomerById(held.holder.id),
        feature=BySlug("calls"),
        enabled=True,
        threshold=D(20),
        amount=D(100),
        price=Money(currency="USD", amount=D(15)),
        monthly_cap_count=2,
    )
    with acting_as(market.merchant_id):
        async with market.db.writing(market.merchant_id) as tx:
            await update_auto_top_up(tx, market.clock, command)
    bought = [await look(market)]
    await held.use("131", day(4, 15))
    bought.append(await look(market))

    # The gift is spent on what waits, so that 150 are left of the other plan, and then 19.
    assert bought == [0, 1]


@pytest.mark.spec("CRD-8", "SUB-4")
@WAITING
async def test_price_that_comes_back_within_a_month__leaves_credits_to_what_was_used_between(
    held: Held, proration: Proration
) -> None:
    listed = held.subscription.version.price_id
    await held.use("60", day(4, 5))
    await held.cut(day(4, 10), proration, call="0.50")
    await held.use("60", day(4, 12))
    held.desk.market.clock.advance(day(4, 20))
    await held.desk.change(held.subscription, to_price(listed), proration=proration)
    await held.use("60", day(4, 25))
    left = await held.left()
    cost, _ = await held.end()

    # 100 are included: the first 60, and 40 of those at half a dollar; then 20 of these and 60 at a dollar.
    assert left == 0
    assert cost == 20 * D("0.50") + 60
