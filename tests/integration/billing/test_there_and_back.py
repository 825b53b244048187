"""From a plan to another and back within a period: what the first one brought is there again, not twice (CRD-5)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2

from candela_server.billing.expire_lapsed import expire_lapsed
from candela_server.billing.model import LineKind
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.model import Proration

from tests.helpers.changing import Desk, to_plan
from tests.helpers.included_calls import day, sweep, use
from tests.helpers.market import Market, fee
from tests.integration.billing.test_trial_credits import left, money, plan_with
from tests.integration.billing.test_unpriced_usage import start
from tests.integration.credit.test_life_of_credits import coming_with, terms_without_price

D = Decimal
NONE = Proration.NONE


def welcome() -> credit_definition_pb2.NewCreditDefinition:
    """$60 a month that pay for anything; up to $6 of them are carried over into the next month."""
    made = money("Welcome", "60")
    made.rollover_cap = "6"
    return made


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "rich" is 50.00 a month and brings $60, "plain" is 20.00 and brings nothing."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    request = plan_with(welcome())
    del request.features[:]
    await made.sell("rich", fee("50", name="Rich"), request=request)
    await made.sell("plain", fee("20", name="Plain"))
    return made


@pytest.mark.spec("CRD-3", "CRD-5", "CRD-8", "SUB-6")
@pytest.mark.parametrize("swept", [False, True], ids=["before the sweep", "after the sweep"])
async def test_money_of_a_plan_that_is_left_and_taken_again__is_carried_over_as_if_nothing_had_been(
    desk: Desk, swept: bool
) -> None:
    held = await desk.take("rich")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("plain"), proration=NONE)
    if swept:
        desk.market.clock.advance(day(4, 12))
        await sweep(desk)
        assert await left(desk, held) == {"60 from 04-01": D(0)}
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("rich"), proration=NONE)
    await sweep(desk)
    back = await left(desk, held)
    await desk.market.bill(day(5, 1))
    await sweep(desk)
    may = await left(desk, held)
    await desk.market.bill(day(6, 1))
    await sweep(desk)
    june = await left(desk, held)

    # April: 60 − 50 = 10 are left, there and back. 6 of them are carried into May, 4 expire.
    assert back == {"60 from 04-01": D(10)}
    # May has 60 and 6, and 50 are drawn: 16 are left, of which 6 are carried into June.
    assert may["60 from 04-01"] == 0
    assert sum(may.values()) == D(16)
    assert june["60 from 05-01"] == june["6 from 05-01"] == 0
    assert sum(june.values()) == D(16)
    assert [one.total for one in await desk.invoices()] == [D(0)] * 3
    assert await reconcile_credits(desk.market.db, desk.market.merchant_id) == []


@pytest.mark.spec("CRD-3", "CRD-5", "SUB-6")
async def test_there_and_back_twice__restores_what_expired_once_each_time(desk: Desk) -> None:
    held = await desk.take("rich")
    await desk.market.bill(day(4, 1))
    for number in (0, 1):
        desk.market.clock.advance(day(4, 5 + 10 * number))
        await desk.change(held, to_plan("plain"), proration=NONE)
        await sweep(desk)
        desk.market.clock.advance(day(4, 10 + 10 * number))
        await desk.change(held, to_plan("rich"), proration=NONE)
        assert await left(desk, held) == {"60 from 04-01": D(10)}


@pytest.mark.spec("CRD-3", "CRD-5", "SUB-6")
async def test_plan_taken_again_in_a_later_period__gets_nothing_of_what_has_ended(
    desk: Desk,
) -> None:
    held = await desk.take("rich")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("plain"), proration=NONE)
    await desk.market.bill(day(5, 1))
    desk.market.clock.advance(day(5, 11))
    await desk.change(held, to_plan("rich"), proration=NONE)
    await sweep(desk)

    # Of April's nothing is left; the new terms bring a whole month's.
    assert await left(desk, held) == {"60 from 04-01": D(0), "60 from 05-11": D(60)}


@pytest.mark.spec("CRD-8", "CRD-9", "SUB-6")
async def test_calls_without_a_price_there_and_back__are_paid_by_what_was_left_of_them(
    market: Market,
) -> None:
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await desk.sell(
        "limited",
        fee("10", name="Limited"),
        request=terms_without_price(coming_with(renew_on_billing=True)),
    )
    await desk.sell("plain", fee("20", name="Plain"))
    holder, held, gift = await start(desk)
    await use(desk, holder, "70", day(4, 5))
    market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("plain"), proration=NONE)
    gone = await left(desk, held)
    market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("limited"), proration=NONE)
    back = await left(desk, held)
    await use(desk, holder, "45", day(4, 25))
    await market.bill(day(5, 1))
    await expire_lapsed(market.db, market.events, market.merchant_id, now=day(5, 1))

    # 100 came with April. When the plan is left, 70 are drawn and 30 expire; with the plan 100 − 70 are back, and pay
    # for 30 of the 45 calls. 15 are the gift's.
    assert gone == {"100 from 04-01": D(0), "500 from 04-01": D(500)}
    assert back == gone | {"100 from 04-21": D(30)}
    assert (await left(desk, held))["500 from 04-01"] == D(485)
    assert gift.amount == D(500)
    assert all(
        line.kind is not LineKind.USAGE for one in await desk.invoices() for line in one.lines
    )
