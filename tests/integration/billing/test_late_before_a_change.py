"""Use before a change of plan that is told after it: the plan of its time pays, checks and invoices agree (EVT-9)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.subscription.model import Proration

from tests.helpers.changing import to_plan
from tests.helpers.included_calls import day, left, sell_included, use
from tests.helpers.market import Market

D = Decimal


@pytest.mark.spec("ENT-4", "EVT-9", "CRD-5")
@pytest.mark.parametrize("proration", [Proration.NONE, Proration.INVOICE_NOW])
@pytest.mark.parametrize(
    ("before", "late", "extra"), [("70", "20", 0), ("70", "50", 20), ("100", "20", 20)]
)
async def test_late_use_of_the_plan_before__is_paid_by_what_that_had_left_and_then_with_money(
    market: Market, proration: Proration, before: str, late: str, extra: int
) -> None:
    desk = await sell_included(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, before, day(4, 5))
    market.clock.advance(day(4, 10))
    await desk.change(held, to_plan("big"), proration=proration)
    found = [await left(desk, holder)]
    market.clock.advance(day(4, 11))
    await market.use(holder, late, day(4, 6))
    found.append(await left(desk, holder))
    shown = found[-1]
    # All that a check says is left, and 7 more.
    await use(desk, holder, str(shown + 7), day(4, 20))
    found.append(await left(desk, holder))
    for at in (day(5, 1), day(5, 2), day(6, 1), day(6, 2)):
        await market.bill(at)

    # The bigger plan brings 1,000 less what was counted as it came; what is late, the smaller one's rest pays for.
    counted = D(1000) - D(before)
    assert found == [counted, counted, D(0)]
    assert await billed(market) == D(7) + extra
    assert await reconcile_credits(market.db, market.merchant_id) == []


async def billed(market: Market) -> Decimal:
    """What invoices ask for calls: a dollar each."""
    return sum(
        (
            line.amount
            for one in await market.invoices()
            for line in one.lines
            if line.metric_id is not None
        ),
        D(0),
    )
