"""A part of a period that is billed before the period is over is not counted twice by checks (ENT-4, CRD-8, EVT-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from random import Random

import pytest
import pytest_asyncio
from candela.catalog.v1 import feature_pb2

from candela_server.billing.auto_top_up import UpdateAutoTopUp, update_auto_top_up
from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.model import InvoiceStatus, InvoiceTransitionRefusedError, LineKind
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import CustomerById
from candela_server.kernel.money import Money
from candela_server.subscription.model import Proration

from tests.helpers.acting import acting_as
from tests.helpers.changing import Desk, to_plan
from tests.helpers.crediting import give, grant_now
from tests.helpers.included_calls import bringing, day, left, use
from tests.helpers.market import Market, calls, fee, flat, money
from tests.integration.billing.billed_early import Held, gift, open_held
from tests.integration.billing.checked_year import look

D = Decimal
NOW = Proration.INVOICE_NOW
FINAL = InvoiceStatus.FINALIZED


@pytest_asyncio.fixture(loop_scope="session")
async def held(market: Market, redis_url: str) -> AsyncIterator[Held]:
    async with open_held(market, redis_url) as opened:
        yield opened


@pytest.mark.spec("ENT-4", "CRD-8", "SUB-6", "INV-3")
@pytest.mark.parametrize("given", [False, True], ids=["included", "gift"])
async def test_cut_that_is_billed_at_once__leaves_as_much_before_and_after_its_invoice_is_final(
    held: Held, given: bool
) -> None:
    if given:
        await gift(held)
    await held.use("70", day(4, 5))
    found = [await held.left()]
    await held.cut(day(4, 10))
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    await held.use("10", day(4, 15))
    found.append(await held.left())
    await held.cut(day(4, 20))
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    cost, balances = await held.end()

    more = 500 if given else 0
    assert found == [D(30) + more] * 3 + [D(20) + more] * 3
    assert cost == 0
    assert sorted(balances) == sorted([D(0), D(100), *([D(500)] if given else [])])
    assert await held.left() == 100 + more


@pytest.mark.spec("ENT-4", "CRD-8", "CRD-9", "INV-3")
async def test_cut_that_took_from_a_gift__counts_it_once_as_draft_and_as_invoice(
    held: Held,
) -> None:
    await gift(held)
    await held.use("130", day(4, 5))
    found = [await held.left()]
    await held.cut(day(4, 10))
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    await held.use("50", day(4, 15))
    found.append(await held.left())
    cost, balances = await held.end()

    assert found == [D(470), D(470), D(470), D(420)]
    assert cost == 0
    assert sorted(balances) == [D(0), D(100), D(420)]
    assert await held.left() == 520


@pytest.mark.spec("ENT-4", "CRD-8", "CRD-9", "CRD-5")
async def test_another_plan_after_the_cut__keeps_what_the_gift_lost_before_it(held: Held) -> None:
    await held.desk.sell("big", fee("3"), calls(flat("1")), request=bringing("1000", existing=True))
    await gift(held)
    await held.use("130", day(4, 5))
    held.desk.market.clock.advance(day(4, 10))
    await held.desk.change(held.subscription, to_plan("big"), proration=NOW)
    found = [await held.left()]
    await held.pass_grace()
    found.append(await held.left())
    await held.use("20", day(4, 12))
    found.append(await held.left())
    _, balances = await held.end()

    # 1,000 less the 100 that the first plan paid for, and 470 of the gift
    assert found == [D(1370), D(1370), D(1350)]
    assert D(470) in balances


@pytest.mark.spec("ENT-4", "INV-6", "CRD-8")
async def test_invoice_of_a_cut_that_is_void__leaves_what_it_left(held: Held) -> None:
    await gift(held)
    await held.use("130", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    found = [await held.left()]
    voided = await held.books.void(await held.billed())
    found.append(await held.left())
    # Made anew: a draft again, then final.
    await held.books.reissue(voided)
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    await held.use("50", day(4, 15))
    found.append(await held.left())
    cost, balances = await held.end()

    assert found == [D(470)] * 4 + [D(420)]
    assert cost == 0
    assert sorted(balances) == [D(0), D(100), D(420)]


@pytest.mark.spec("ENT-4", "EVT-9", "CRD-8", "EVT-7")
@pytest.mark.parametrize("final", [False, True], ids=["draft", "final"])
async def test_use_of_the_cut_part_that_is_told_late__counts_once(held: Held, final: bool) -> None:
    await gift(held)
    await held.use("130", day(4, 5))
    await held.cut(day(4, 10))
    if final:
        await held.pass_grace()
    found = [await held.left()]
    await held.use("20", day(4, 6))
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    # The next cut's invoice takes in what was told late of the first one's time.
    await held.cut(day(4, 20))
    found.append(await held.left())
    await held.pass_grace()
    found.append(await held.left())
    cost, balances = await held.end()

    assert found == [D(470)] + [D(450)] * 4
    assert cost == 0
    assert sorted(balances) == [D(0), D(100), D(450)]
    assert await held.left() == 550


@pytest.mark.spec("ENT-4", "EVT-9", "INV-6", "CRD-8")
async def test_late_use_on_an_invoice_that_is_void__counts_once(held: Held) -> None:
    await gift(held)
    await held.use("130", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    await held.use("20", day(4, 6))
    await held.cut(day(4, 20))
    await held.pass_grace()
    *_, last = await held.desk.invoices()
    assert any(line.kind is LineKind.ADJUSTMENT and line.draws for line in last.lines)
    found = [await held.left()]
    await held.books.void(last)
    found.append(await held.left())

    assert found == [D(450)] * 2


@pytest.mark.spec("ENT-4", "EVT-4", "EVT-9", "CRD-8")
async def test_use_of_the_cut_part_that_is_taken_back__is_there_again(held: Held) -> None:
    await gift(held)
    market = held.desk.market
    await held.use("100", day(4, 5))
    key = await market.use(held.holder, "30", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    found = [await held.left()]
    await market.take_back(key)
    found.append(await held.left())
    await held.cut(day(4, 20))
    await held.pass_grace()
    found.append(await held.left())
    _, balances = await held.end()

    assert found == [D(470), D(500), D(500)]
    assert sorted(balances) == [D(0), D(100), D(500)]


@pytest.mark.spec("ENT-4", "CRD-8", "EVT-7")
async def test_gift_after_a_cut_that_was_billed__pays_for_what_comes_after_it_only(
    held: Held,
) -> None:
    await held.use("130", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    found = [await held.left()]
    held.desk.market.clock.advance(day(4, 12))
    await gift(held)
    found.append(await held.left())
    await held.use("50", day(4, 15))
    found.append(await held.left())
    cost, balances = await held.end()

    assert found == [D(0), D(500), D(450)]
    assert cost == 30
    assert sorted(balances) == [D(0), D(100), D(450)]


@pytest.mark.spec("CRD-9", "CRD-8", "ENT-4")
async def test_pack_that_buys_itself__is_not_bought_for_a_cut_that_was_billed(held: Held) -> None:
    market = held.desk.market
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
    await held.use("70", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    bought = [await look(market)]
    await held.use("11", day(4, 15))
    bought.append(await look(market))

    # 30 are left, then 19.
    assert bought == [0, 1]


@pytest.mark.spec("ENT-4", "INV-1", "CRD-8")
async def test_threshold_invoice__takes_no_credit_and_changes_no_check(
    market: Market,
) -> None:
    await market.sell(
        fee("1"), calls(flat("1")), threshold=money("50"), request=bringing("100", existing=False)
    )
    market.clock.advance(day(4, 1))
    holder = await market.subscribe()
    await market.bill(day(4, 1))
    desk = Desk(market)
    await use(desk, holder, "130", day(4, 5))
    market.clock.advance(day(4, 5, 18))
    given = await give(desk.market.shop, holder, "500", feature="calls")
    await use(desk, holder, "200", day(4, 6))
    found = [await left(desk, holder)]
    for amount in ("20", "400"):
        await use(desk, holder, amount, day(4, 7))
        made = await bill_thresholds(
            market.db, market.events, market.merchant_id, now=market.clock.now()
        )
        found += [D(made), await left(desk, holder)]
    assert (await grant_now(desk.market.shop, given.id)).balance == 500

    # 30 beyond the 100 before the gift, and 120 beyond the gift make 150.
    assert found == [D(300), D(0), D(280), D(1), D(0)]


@pytest.mark.spec("ENT-4", "ENT-9", "CRD-8")
async def test_taking_after_a_cut_that_was_billed__goes_as_far_as_checks_say(held: Held) -> None:
    refusing = bringing("100")
    refusing.features[0].limit_behavior = feature_pb2.LIMIT_BEHAVIOR_HARD
    await held.desk.sell("hard", fee("1"), calls(flat("1")), request=refusing)
    held.desk.plans["plan"] = held.desk.plans["hard"]
    held.holder = await held.desk.market.sign_up()
    held.subscription = await held.desk.take("hard", customer=held.holder)
    await held.desk.market.bill(day(4, 1))
    await held.use("70", day(4, 5))
    await held.cut(day(4, 10))
    await held.pass_grace()
    server = held.year.server
    reserved = (await server.reserve(held.holder, "10", "calls")).reservation
    too_much = await server.consume(held.holder, "21", "calls")
    taken = await server.consume(held.holder, "20", "calls")
    await server.commit(reserved, "10")
    none_left = await server.consume(held.holder, "1", "calls")
    cost, balances = await held.end()

    assert [one.consumed for one in (too_much, taken, none_left)] == [False, True, False]
    assert cost == 0
    assert sorted(balances) == [D(0), D(0), D(100), D(100)]


@pytest.mark.spec("ENT-4", "CRD-8", "INV-6", "EVT-7")
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_cut_billed_and_voided__checks_leave_what_the_end_finds(
    held: Held, seed: int
) -> None:
    chance = Random(seed)
    desk, gifts = held.desk, [await gift(held)]
    for of_april in range(2, 29):
        at = day(4, of_april)
        desk.market.clock.advance(at)
        before = await left(desk, held.holder)
        match chance.choice(["use", "use", "cut", "void", "reissue", "grace", "gift"]):
            case "use":
                amount = chance.randint(1, 60)
                await use(desk, held.holder, str(amount), at)
                before = max(before - amount, D(0))
            case "cut":
                await held.cut(at, chance.choice([NOW, Proration.NONE, Proration.NEXT_INVOICE]))
            case "void":
                if some := [one for one in await desk.invoices() if one.status is FINAL]:
                    await held.books.void(chance.choice(some))
            case "reissue":
                if some := [one for one in await desk.invoices() if one.status is FINAL]:
                    await held.books.reissue(chance.choice(some))
            case "grace":
                await held.pass_grace()
            case "gift":
                gifts.append(await gift(held))
                before += 500
        assert await left(desk, held.holder) == before, of_april
    before = await left(desk, held.holder)
    # What was voided and is not billed by anybody is nobody's draw: it is made again before the end.
    for one in await desk.invoices():
        if one.status is InvoiceStatus.VOID:
            with suppress(InvoiceTransitionRefusedError):
                await held.books.reissue(one)
    await held.pass_grace()
    assert await left(desk, held.holder) == before
    await held.end()
    has = [await held.year.balance(one) for one in gifts]

    # In May the plan's 100 are there anew; what it had left of April's has lapsed.
    assert await left(desk, held.holder) == sum(has) + 100
    assert sum(has) <= before <= sum(has) + 100
