"""Further grants of a definition begin exactly when they say, and each is granted once (CRD-5, SEAT-3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.catalog import read as catalog
from candela_server.credit import read as credit
from candela_server.credit.grant_credits import grant_for_periods
from candela_server.credit.model import CreditGrant, PeriodGrant
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.included_calls import bringing, day, left, sell_included
from tests.helpers.market import Market, calls, flat
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal
NONE = Proration.NONE


async def grants_of(desk: Desk, held: Subscription) -> list[CreditGrant]:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        found = await credit.list_grants_of_subscription(tx, held.id)
    return sorted(found, key=lambda one: (one.effective_at, one.ordinal))


@pytest.mark.spec("CRD-5", "SEAT-3")
async def test_seats_added_twice_in_a_period__bring_grants_that_begin_with_the_period(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    await desk.sell("seated", seats("10"), calls(flat("1")), request=bringing("10", per_seat=True))
    holder = await market.sign_up()
    held = await desk.take("seated", seats=3, customer=holder)
    await market.bill(day(4, 1))
    seat = await desk.component(held)
    for of_april, count in ((10, 4), (12, 6)):
        market.clock.advance(day(4, of_april))
        await desk.change(held, quantity(seat, count), NOW, NONE)

    got = [(one.effective_at, one.ordinal, one.amount) for one in await grants_of(desk, held)]
    assert got == [(day(4, 1), 0, D(30)), (day(4, 1), 1, D(10)), (day(4, 1), 2, D(20))]
    assert await left(desk, holder) == 60


@pytest.mark.spec("CRD-5", "SUB-6")
async def test_plans_that_follow_one_another_at_one_instant__bring_what_begins_then(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    for slug in ("big", "small", "big"):
        await desk.change(held, to_plan(slug), NOW, NONE)

    assert {one.effective_at for one in await grants_of(desk, held)} == {day(4, 1)}
    assert await left(desk, holder) == 1000


@pytest.mark.spec("CRD-5", "INV-2")
async def test_period_that_is_granted_again__brings_nothing_more(market: Market) -> None:
    desk = await sell_included(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    async with market.db.writing(market.merchant_id) as tx:
        offer = await catalog.get_offer(tx, held.version.plan_version_id, held.version.price_id)
        [definition] = offer.credit_definitions
        [first] = await credit.list_grants_of_subscription(tx, held.id)
        again = PeriodGrant(
            customer_id=holder.id,
            subscription_id=held.id,
            definition=definition,
            amount=first.amount,
            effective_at=first.effective_at,
            expires_at=first.expires_at,
        )
        assert await grant_for_periods(tx, [again], at=market.clock.now()) == 0

    assert await left(desk, holder) == 100
