"""Credits that begin or end within a period: checks leave what the period's end finds (ENT-4, EVT-7, CRD-8, CRD-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from candela_server.billing.auto_top_up import UpdateAutoTopUp, update_auto_top_up
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import CustomerById
from candela_server.kernel.money import Money
from candela_server.subscription.change import Pause, Resume
from candela_server.subscription.renew_by_rule import renew_due

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.crediting import give
from tests.helpers.included_calls import bringing, day, sweep
from tests.helpers.market import Market, fee
from tests.integration.billing.checked_year import Year, look, open_year, shown
from tests.integration.billing.test_top_ups import order
from tests.integration.credit.test_life_of_credits import terms_without_price

D = Decimal
MERCHANTS = pytest.mark.parametrize("priced", [False, True], ids=["hard", "priced"])


@pytest_asyncio.fixture(loop_scope="session")
async def year(market: Market, redis_url: str) -> AsyncIterator[Year]:
    async with open_year(market, redis_url) as opened:
        yield opened


@pytest.mark.spec("ENT-4", "EVT-7", "CRD-8", "CRD-10")
@MERCHANTS
async def test_credit_given_within_a_period__pays_for_nothing_that_was_used_before_it(
    year: Year, priced: bool
) -> None:
    holder = await year.start(priced=priced)
    await year.use(holder, "60", at=day(4, 2))
    before = shown(await year.usage(holder))
    year.desk.market.clock.advance(day(4, 3))
    gift = await give(year.desk.market.shop, holder, "100", feature="calls")
    given = shown(await year.usage(holder))
    await year.use(holder, "30", at=day(4, 4))
    used = shown(await year.usage(holder))
    await year.bill()

    # used, limit, remaining, overage: 50 of the 60 are nobody's, and stay beyond
    assert before == (60, 10, 0, 50)
    assert given == (60, 160, 100, 50)
    assert used == (90, 160, 70, 50)
    assert await year.balance(gift) == 70
    assert await year.left(holder) == 80


@pytest.mark.spec("ENT-4", "EVT-7", "CRD-9")
@MERCHANTS
async def test_pack_bought_within_a_period__is_whole_until_it_is_used(
    year: Year, priced: bool
) -> None:
    holder = await year.start(priced=priced)
    await year.use(holder, "60", at=day(4, 2))
    year.desk.market.clock.advance(day(4, 3))
    books = Books(year.desk.market.shop, year.desk.market.events)
    pack, invoice = await order(books, holder, "100", "15", feature="calls")
    await books.pay(invoice)
    await year.use(holder, "30", at=day(4, 4))
    left = await year.left(holder)
    await year.bill()

    assert left == 70
    assert await year.balance(pack) == 70


@pytest.mark.spec("EVT-9", "ENT-4", "EVT-7")
@MERCHANTS
async def test_usage_told_late__is_counted_where_it_happened(year: Year, priced: bool) -> None:
    holder = await year.start(priced=priced)
    await year.use(holder, "4", at=day(4, 2))
    year.desk.market.clock.advance(day(4, 3))
    gift = await give(year.desk.market.shop, holder, "100", feature="calls")
    await year.use(holder, "30", at=day(4, 4))
    found = [await year.left(holder)]
    await year.use(holder, "5", at=day(4, 2, 18))
    found.append(await year.left(holder))
    await year.use(holder, "50", at=day(4, 2, 20))
    found.append(await year.left(holder))
    await year.bill()

    # 4 and 5 of the 10 included, so that 25 and then 29 of the gift are used; with 50 more, all of the 10 and 30
    assert found == [D(76), D(71), D(70)]
    assert await year.balance(gift) == 70


@pytest.mark.spec("ENT-4", "CRD-8", "CRD-5")
@MERCHANTS
async def test_credit_that_ends_within_a_period__has_paid_for_its_time(
    year: Year, priced: bool
) -> None:
    holder = await year.start(priced=priced)
    year.desk.market.clock.advance(day(4, 3))
    short = await give(year.desk.market.shop, holder, "100", feature="calls", expires_at=day(4, 15))
    long = await give(year.desk.market.shop, holder, "200", feature="calls")
    await year.use(holder, "60", at=day(4, 4))
    found = [await year.left(holder)]
    year.desk.market.clock.advance(day(4, 16))
    found.append(await year.left(holder))
    await sweep(year.desk)
    found.append(await year.left(holder))
    await year.use(holder, "25", at=day(4, 17))
    found.append(await year.left(holder))
    await year.bill()
    await sweep(year.desk)

    # 10 are included, and the one that ends first pays for the other 50; what comes after its end the other one pays.
    assert found == [D(250), D(200), D(200), D(175)]
    assert await year.balance(long) == 175
    assert await year.balance(short) == 0


@pytest.mark.spec("ENT-9", "ENT-4", "EVT-7")
async def test_taking_and_holding__goes_as_far_as_checks_say(year: Year) -> None:
    holder = await year.start(priced=False)
    await year.use(holder, "60", at=day(4, 2))
    refused = await year.server.consume(holder, "1", "calls")
    year.desk.market.clock.advance(day(4, 3))
    gift = await give(year.desk.market.shop, holder, "100", feature="calls")
    assert await year.left(holder) == 100
    held = (await year.server.reserve(holder, "40", "calls")).reservation
    too_much = await year.server.consume(holder, "61", "calls")
    taken = await year.server.consume(holder, "60", "calls")
    await year.server.commit(held, "30")
    last = await year.server.consume(holder, "10", "calls")
    none_left = await year.server.consume(holder, "1", "calls")

    assert [one.consumed for one in (refused, too_much, taken, last, none_left)] == [
        False,
        False,
        True,
        True,
        False,
    ]
    await year.bill()
    assert await year.balance(gift) == 0


@pytest.mark.spec("ENT-4", "CRD-3", "CRD-8")
@MERCHANTS
async def test_gift_beside_credit_of_each_week__is_used_by_every_week_of_the_period(
    year: Year, priced: bool
) -> None:
    week = timedelta(days=7)
    holder = await year.start(priced=priced, rule="FREQ=WEEKLY", lasts=week)
    gift = await give(year.desk.market.shop, holder, "100", feature="calls")
    found = []
    for number in range(3):
        await year.use(holder, "25", at=day(4, 2) + number * week)
        found.append(await year.left(holder))
        year.desk.market.clock.advance(day(4, 1) + (number + 1) * week)
        await renew_due(
            year.desk.market.db, year.desk.market.merchant_id, now=year.desk.market.clock.now()
        )
        await sweep(year.desk)
        found.append(await year.left(holder))
    await year.bill()

    # 15 of the gift each week, and 10 that are new with the next one
    assert found == [D(85), D(95), D(70), D(80), D(55), D(65)]
    assert await year.balance(gift) == 55


@pytest.mark.spec("ENT-4", "CRD-3", "CRD-8")
@MERCHANTS
async def test_credit_of_three_months__is_used_by_each_period_once(
    year: Year, priced: bool
) -> None:
    holder = await year.start(
        priced=priced, rule="FREQ=MONTHLY;INTERVAL=3", lasts=timedelta(days=91)
    )
    await year.use(holder, "4", at=day(4, 2))
    found = [await year.left(holder)]
    await year.desk.market.bill(day(5, 1))
    found.append(await year.left(holder))
    await year.desk.market.bill(day(5, 2))
    await year.use(holder, "3", at=day(5, 3))
    found.append(await year.left(holder))

    assert found == [D(6), D(6), D(3)]


@pytest.mark.spec("ENT-4", "CRD-10", "CRD-8")
async def test_gift_beside_a_number__is_used_only_where_the_number_is_not_enough(
    year: Year,
) -> None:
    market = year.desk.market
    market.clock.advance(day(4, 1))
    terms = terms_without_price(bringing("1", existing=False))
    del terms.credit_definitions[:]
    terms.features[0].value.number = "10"
    await year.desk.sell("plan", fee("1"), request=terms)
    holder = await market.sign_up()
    held = await year.desk.take("plan", customer=holder)
    await market.bill(day(4, 1))
    found = []
    market.clock.advance(day(4, 3))
    gift = await give(year.desk.market.shop, holder, "100", feature="calls")
    await year.use(holder, "7", at=day(4, 4))
    found.append(await year.left(holder))
    await year.bill()
    kept = await year.balance(gift)
    await year.use(holder, "8", at=day(5, 3))
    market.clock.advance(day(5, 10))
    await year.desk.change(held, Pause(resume_at=None))
    market.clock.advance(day(5, 12))
    await year.desk.change(held, Resume())
    await year.use(holder, "5", at=day(5, 13))
    found.append(await year.left(holder))
    await market.bill(day(6, 1))

    # April's 7 are the number's; of May's 13, 10 are, whatever cut the month, and 3 are the gift's.
    assert found == [D(103), D(97)]
    assert kept == 100
    assert await year.balance(gift) == 97


@pytest.mark.spec("CRD-9", "EVT-7")
@MERCHANTS
async def test_pack_that_buys_itself__is_not_bought_again_for_what_was_used_before_it(
    year: Year, priced: bool
) -> None:
    holder = await year.start(priced=priced)
    market = year.desk.market
    await year.use(holder, "60", at=day(4, 2))
    command = UpdateAutoTopUp(
        customer=CustomerById(holder.id),
        feature=BySlug("calls"),
        enabled=True,
        threshold=D(80),
        amount=D(100),
        price=Money(currency="USD", amount=D(15)),
        monthly_cap_count=9,
    )
    with acting_as(market.merchant_id):
        async with market.db.writing(market.merchant_id) as tx:
            await update_auto_top_up(tx, market.clock, command)
    market.clock.advance(day(4, 3))
    await give(year.desk.market.shop, holder, "100", feature="calls")
    bought = [await look(market)]
    await year.use(holder, "20", at=day(4, 4))
    bought.append(await look(market))
    await year.use(holder, "1", at=day(4, 5))
    bought.append(await look(market))

    # 100 and then 80 are left; not 50, of which 60 less 10 would have been taken
    assert bought == [0, 0, 1]
