"""Usage that costs nothing uses up what outlasts its period, once, however the period ends (CRD-8, CRD-9, SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from candela.catalog.v1 import price_pb2

from candela_server.billing.billing_context import read_context
from candela_server.billing.draw_unpriced import draw_unpriced
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import Customer
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.change import Cancellation, Pause, Resume
from candela_server.subscription.model import ScheduledPeriod, Subscription

from tests.helpers.billing import Books
from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.crediting import give, grant_now
from tests.helpers.included_calls import bringing, day, use
from tests.helpers.market import Market, fee
from tests.integration.billing.test_subscription_lives import sell_trial
from tests.integration.billing.test_top_ups import order
from tests.integration.credit.test_life_of_credits import terms_without_price

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00. "limited" is 10.00 a month in advance with 100 calls, which have no price.

    "other" brings 50 calls and "yearly" 100 a year, which have none either; "later" is "limited" paid in arrears.
    """
    market.clock.advance(day(4, 1))
    made = Desk(market)
    in_arrears = fee("10", name="Later")
    in_arrears.timing = price_pb2.BILLING_TIMING_IN_ARREARS
    await made.sell(
        "limited",
        fee("10", name="Limited"),
        request=terms_without_price(bringing("100", existing=False)),
    )
    await made.sell("other", fee("15", name="Other"), request=bringing("50"))
    await made.sell("yearly", fee("99", name="Yearly", rule="FREQ=YEARLY"), request=bringing("100"))
    await made.sell("later", in_arrears, request=bringing("100"))
    return made


async def start(desk: Desk, plan: str = "limited") -> tuple[Customer, Subscription, CreditGrant]:
    """A customer with the plan, and a gift of 500 calls that never ends."""
    holder = await desk.market.sign_up()
    held = await desk.take(plan, customer=holder)
    gift = await give(desk.market.shop, holder, "500", feature="calls")
    await desk.market.bill(day(4, 1))
    return holder, held, gift


async def left(desk: Desk, gift: CreditGrant) -> Decimal:
    assert await reconcile_credits(desk.market.db, desk.market.merchant_id) == []
    return (await grant_now(desk.market.shop, gift.id)).balance


@pytest.mark.spec("CRD-9", "CRD-8", "SUB-6")
@pytest.mark.parametrize("plan", ["limited", "later"])
async def test_end_within_a_period__uses_up_the_plans_credit_and_then_the_gift(
    desk: Desk, plan: str
) -> None:
    holder, held, gift = await start(desk, plan)
    await use(desk, holder, "130", day(4, 10))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, Cancellation(), NOW)
    at_once = await left(desk, gift)
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    # 130 used: 100 came with the plan, 30 are the gift's
    assert at_once == D(470)
    assert await left(desk, gift) == D(470)
    assert sorted(await desk.market.balances()) == [D(0), D(470)]


@pytest.mark.spec("CRD-9", "CRD-8")
async def test_pack_that_was_bought__is_used_up_by_the_last_period_too(desk: Desk) -> None:
    holder = await desk.market.sign_up()
    held = await desk.take("limited", customer=holder)
    await desk.market.bill(day(4, 1))
    books = Books(desk.market.shop, desk.market.events)
    pack, invoice = await order(books, holder, "500", "75", feature="calls")
    await books.pay(invoice)
    await use(desk, holder, "250", day(4, 10))
    desk.market.clock.advance(day(4, 20))
    await desk.change(held, Cancellation(), NOW)

    # 250 used: 100 came with the plan, 150 are the pack's
    assert await left(desk, pack) == D(350)


@pytest.mark.spec("CRD-9", "SUB-5")
@pytest.mark.parametrize("plan", ["limited", "later"])
async def test_end_with_a_period__is_drawn_once(desk: Desk, plan: str) -> None:
    holder, held, gift = await start(desk, plan)
    await desk.change(held, Cancellation())
    await use(desk, holder, "130", day(4, 10))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    assert await left(desk, gift) == D(470)


@pytest.mark.spec("CRD-9", "SUB-6")
@pytest.mark.parametrize("plan", ["limited", "later"])
async def test_end_at_the_instant_at_which_a_period_was_billed__draws_that_no_second_time(
    desk: Desk, plan: str
) -> None:
    holder, held, gift = await start(desk, plan)
    await use(desk, holder, "130", day(4, 10))
    await desk.market.bill(day(5, 1))
    billed = await left(desk, gift)
    await desk.change(held, Cancellation(), NOW)

    assert billed == D(470)
    assert await left(desk, gift) == D(470)


@pytest.mark.spec("CRD-9", "SUB-6")
async def test_end_while_billing_is_behind__draws_every_period_that_is_open(desk: Desk) -> None:
    holder, held, gift = await start(desk)
    await use(desk, holder, "30", day(4, 10))
    await use(desk, holder, "40", day(5, 10))
    desk.market.clock.advance(day(5, 20))
    await desk.change(held, Cancellation(), NOW)

    # April's 30 are the plan's; so is none of May's, as May was never billed and brought no credit: 40 of the gift
    assert await left(desk, gift) == D(460)


@pytest.mark.spec("CRD-9", "SUB-6")
async def test_pause__draws_what_was_used_before_and_the_period_goes_on_afterwards(
    desk: Desk,
) -> None:
    holder, held, gift = await start(desk)
    await use(desk, holder, "130", day(4, 10))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, Pause(resume_at=None))
    paused = await left(desk, gift)
    desk.market.clock.advance(day(4, 20))
    await desk.change(held, Resume())
    await use(desk, holder, "50", day(4, 21))
    await desk.market.bill(day(5, 1))

    # 130 − 100 = 30 before the pause; the plan's 100 are used up by then, so 50 after it
    assert paused == D(470)
    assert await left(desk, gift) == D(420)


@pytest.mark.spec("CRD-9", "CRD-6", "TRL-2")
async def test_trial__uses_up_its_own_credit_and_then_the_gift(desk: Desk) -> None:
    await sell_trial(desk, "limited")
    holder, _, gift = await start(desk, "trial")
    await use(desk, holder, "12", day(4, 10))
    await desk.market.bill(day(4, 15))
    tried = await left(desk, gift)
    await use(desk, holder, "103", day(4, 20))
    await desk.market.bill(day(5, 15))

    # 12 in the trial, which brought 7: 5 of the gift. 103 with the plan, which brings 100: 3 more
    assert tried == D(495)
    assert await left(desk, gift) == D(492)


@pytest.mark.spec("CRD-9", "SUB-6")
async def test_change_to_a_plan_that_prices_no_usage_either__has_one_allowance_for_the_period(
    desk: Desk,
) -> None:
    holder, held, gift = await start(desk)
    await use(desk, holder, "130", day(4, 10))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("other"))
    await use(desk, holder, "60", day(4, 20))
    await desk.market.bill(day(5, 1))

    # 130 − 100 = 30 under the one plan; the other brings 50 a month, less the 100: all 60 are the gift's
    assert await left(desk, gift) == D(410)


@pytest.mark.spec("CRD-9", "SUB-6", "DSL-2")
async def test_change_to_yearly_periods__draws_no_month_again_at_the_years_end(desk: Desk) -> None:
    holder, held, gift = await start(desk)
    for month, amount in ((4, "130"), (5, "120"), (6, "110")):
        await use(desk, holder, amount, day(month, 5))
        if month < 6:
            await desk.market.bill(day(month + 1, 1))
    desk.market.clock.advance(day(6, 10))
    await desk.change(held, to_plan("yearly"))
    await use(desk, holder, "105", day(7, 1))
    await desk.market.bill(datetime(2027, 4, 1, 15, tzinfo=UTC))

    # 30 + 20 + 10 of three months with 100 each; then 105 in a year that brings 100, which June used up
    assert await left(desk, gift) == D(335)


@pytest.mark.spec("CRD-9", "CRD-8")
async def test_one_of_two_subscriptions_ends__what_goes_on_draws_the_period(desk: Desk) -> None:
    holder, older, gift = await start(desk)
    younger = await desk.take("limited", customer=holder)
    await desk.market.bill(day(4, 1))
    await use(desk, holder, "130", day(4, 10))
    desk.market.clock.advance(day(4, 11))
    await desk.change(older, Cancellation(), NOW)
    at_once = await left(desk, gift)
    await use(desk, holder, "20", day(4, 20))
    await desk.market.bill(day(5, 1))

    assert younger.id > older.id
    # 150 used in April, drawn once: 100 came with the one that goes on
    assert at_once == D(500)
    assert await left(desk, gift) == D(450)


class _Counting:
    """A transaction that counts what it sends."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("fetch", "fetchrow", "fetchval", "execute"):
            self.count += 1
        return getattr(self._tx, name)


@pytest.mark.spec("CRD-9", "INV-1")
async def test_many_subscriptions__are_drawn_from_by_as_many_statements_as_few(desk: Desk) -> None:
    begun = [await start(desk) for _ in range(6)]
    held = [one for _, one, _ in begun]
    for holder, _, _ in begun:
        await use(desk, holder, "130", day(4, 10))

    async def statements(some: Sequence[Subscription]) -> int:
        now = day(5, 1)
        async with desk.market.db.writing(desk.market.merchant_id) as tx:
            context = await read_context(tx, [one.id for one in some], until=now)
            due: list[ScheduledPeriod] = []
            for one in some:
                due += await read_schedule.list_next_due(tx, one.id)
            counting = _Counting(tx)
            drawn = await draw_unpriced(
                cast(Tx, counting), desk.market.events, context, due, now=now
            )
            assert len(drawn.grants) == len(some)
        return counting.count

    desk.market.clock.advance(day(5, 1) - timedelta(hours=1))
    few = await statements(held[:1])
    many = await statements(held[1:])

    assert few == many
