"""Seats that are added or given up while a subscription is paused, and the credits that each brings (CRD-5, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.change import Pause, Resume

from tests.helpers.changing import NOW, quantity
from tests.helpers.included_calls import bringing, day, left, sell_included
from tests.helpers.market import Market, calls, flat
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal


@pytest.mark.spec("CRD-5", "SUB-6", "SEAT-3")
@pytest.mark.parametrize(
    ("changes", "included"),
    [
        # Five seats of ten each go on: the two that came while nothing was granted bring theirs with the resumption.
        pytest.param([5], 50, id="added"),
        pytest.param([6, 4], 40, id="added and partly given up"),
        # What three seats brought stays theirs until the period ends.
        pytest.param([2], 30, id="given up"),
        pytest.param([2, 3], 30, id="given up and taken again"),
    ],
)
async def test_seats_changed_in_a_pause__bring_their_credits_as_it_ends(
    market: Market, changes: list[int], included: int
) -> None:
    desk = await sell_included(market, priced=True)
    await desk.sell("seated", seats("10"), calls(flat("1")), request=bringing("10", per_seat=True))
    holder = await market.sign_up()
    held = await desk.take("seated", seats=3, customer=holder)
    await market.bill(day(4, 1))
    seat = await desk.component(held)
    market.clock.advance(day(4, 10))
    await desk.change(held, Pause(resume_at=None))
    for number, count in enumerate(changes):
        market.clock.advance(day(4, 11 + number))
        await desk.change(held, quantity(seat, count), NOW)
    market.clock.advance(day(4, 20))
    await desk.change(held, Resume())

    assert await left(desk, holder) == included
    assert await reconcile_credits(market.db, market.merchant_id) == []
