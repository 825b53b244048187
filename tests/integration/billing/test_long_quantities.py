"""Quantities of 38 digits are held, drawn and billed to their last digit (INV-8, CRD-4, ENT-4)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reconcile_credits import reconcile_credits

from tests.helpers.changing import Desk
from tests.helpers.included_calls import bringing, day, left
from tests.helpers.market import Market, calls, fee, flat

INCLUDED = "99999999999999999999999999.999999999999"
USED = ("77777777777777777777777777", "0.000000000001")
LEFT = Decimal("22222222222222222222222222.999999999998")


@pytest.mark.spec("INV-8", "CRD-4", "ENT-4")
async def test_longest_quantities__leave_and_draw_every_digit(market: Market) -> None:
    market.clock.advance(day(4, 1))
    await market.sell(fee("1"), calls(flat("1")), request=bringing(INCLUDED, existing=False))
    desk = Desk(market)
    holder = await market.sign_up()
    await desk.take("plan", customer=holder)
    await market.bill(day(4, 1))
    for amount in USED:
        await market.use(holder, amount, day(4, 1))

    remaining = await left(desk, holder)
    await market.bill(day(5, 1))
    await market.bill(day(5, 3))

    assert remaining == LEFT
    assert await market.lines() == [
        [("recurring", "1.00")],
        [
            ("usage", "77777777777777777777777777.00"),
            ("usage_credit", "-77777777777777777777777777.00"),
            ("recurring", "1.00"),
        ],
    ]
    assert await reconcile_credits(market.db, market.merchant_id) == []
