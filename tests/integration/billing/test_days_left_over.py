"""Days that were paid for and are left over in a subscription that goes on pay its next invoices; what they have not
paid by its end comes back by note at once (SUB-6): see docs/giving-back.md, "The order".

A year for 1,200.00 is left for 30.00 a month on the day 11 of it: 1,200.00 × 355 ÷ 365 = 1,167.12 are unused.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.credit_note import Purpose
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day
from tests.integration.billing.test_voided_ends import notes, pay

D = Decimal
UNUSED = D("1167.12")


async def left_for_a_month(market: Market) -> tuple[Desk, Subscription]:
    """It is 11 April 2026, 15:00."""
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await desk.sell("yearly", fee("1200", name="Year", rule="FREQ=YEARLY"))
    await desk.sell("monthly", fee("30", name="Month"))
    held = await desk.take("yearly")
    await market.bill(day(4, 1))
    await pay(desk, 0)
    market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("monthly"), NOW, Proration.NEXT_INVOICE)
    return desk, held


@pytest.mark.spec("SUB-6")
async def test_days_left_over__pay_the_next_invoices_until_the_end_gives_back_the_rest(
    market: Market,
) -> None:
    desk, held = await left_for_a_month(market)
    for month in (5, 6, 7):
        await market.bill(day(month, 1))
    so_far = await notes(desk)
    await desk.change(held, Cancellation(), NOW, Proration.NEXT_INVOICE)

    # April from its 11th, 30.00 × 20 ÷ 30, May and June: 80.00; of July no day is used.
    assert await desk.totals() == [D(1200), D(0), D(0), D(0)]
    assert so_far == []
    given = await notes(desk)
    assert sum(one.total for one in given) == UNUSED - D(80)
    assert {one.purpose for one in given} == {Purpose.CREDIT_BALANCE}
