"""What becomes of a cut period when the invoice that billed it is voided (INV-6, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal
INVOICE_NOW = Proration.INVOICE_NOW


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00 and "pro" 50.00 a month, "team" 10.00 a seat."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


async def void(desk: Desk, number: int) -> None:
    one = (await desk.invoices())[number]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await void_invoice(tx, desk.market.clock, one.id, reason="a mistake")


@pytest.mark.spec("INV-6", "SUB-6")
async def test_differences_of_a_voided_invoice__are_on_the_next_one(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("pro"), NOW, INVOICE_NOW)
    await void(desk, 1)
    await desk.market.bill(day(5, 1))

    # −13.33 + 33.33 for April again, 50.00 for May
    assert await desk.totals() == [D("20.00"), D("20.00"), D("70.00")]


@pytest.mark.spec("INV-6", "SUB-6")
async def test_changes_within_a_voided_period__cost_nothing_until_it_is_reissued(
    desk: Desk,
) -> None:
    held = await desk.take("team", seats=3)
    await desk.market.bill(day(4, 1))
    await void(desk, 0)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, quantity(await desk.component(held), 5), NOW, INVOICE_NOW)
    assert await desk.totals() == [D("30.00")]

    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        first = (await desk.invoices())[0]
        await reissue_invoice(tx, desk.market.events, desk.market.clock, first.id, reason="anew")
    await desk.market.bill(day(5, 1))

    # 30.00 for April and 15 of 30 days of two seats more, 50.00 for May
    assert sum(await desk.totals()) - D("30.00") == D("40.00") + D("50.00")
