"""An invoice that bills a plan that was left is made again with what that plan included (INV-6, CRD-7)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.model import Invoice
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.subscription.model import Proration

from tests.helpers.changing import to_plan
from tests.helpers.included_calls import day, sell_included, use
from tests.helpers.market import Market, fee

D = Decimal


@pytest.mark.spec("INV-6", "CRD-7", "CRD-5", "SUB-6")
async def test_reissue_that_waits_while_the_next_plan_is_billed__keeps_what_the_left_plan_included(
    market: Market,
) -> None:
    desk = await sell_included(market, priced=True)
    await desk.sell("without-calls", fee("20", name="Without calls"))
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    await market.bill(day(4, 1))
    await use(desk, holder, "120", day(4, 5))
    market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("without-calls"), proration=Proration.NEXT_INVOICE)
    await market.bill(day(5, 1))
    await market.bill(day(5, 1, 17))
    before = (await market.invoices())[-1]
    market.clock.advance(day(6, 1))

    async with market.db.writing(market.merchant_id) as tx:
        _, draft = await reissue_invoice(
            tx, market.events, market.clock, before.id, reason="a mistake"
        )
    await market.bill(day(6, 1))
    await market.bill(day(6, 1, 17))

    # 120 calls less the 100 included, and no more than was asked for before
    [after] = [one for one in await market.invoices() if one.id == draft.id]
    assert said(after) == said(before)
    assert [one for one in said(after) if "Calls" in one[0]] == [
        ("Calls × 120, 1 Apr – 11 Apr 2026", D("120.00")),
        ("Calls: 100 included, 1 Apr – 11 Apr 2026", D("-100.00")),
    ]
    assert await market.balances() == [D(0)]


def said(one: Invoice) -> list[tuple[str, Decimal]]:
    return [(line.description, line.amount) for line in one.lines]
