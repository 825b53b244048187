"""What a line corrects is named by the line that charged it in the end, drafts or not (INV-1, INV-3, SUB-6)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from candela_server.billing.model import LineKind
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, calls, fee, flat


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.mark.spec("INV-3", "SUB-6")
@pytest.mark.parametrize("proration", [Proration.INVOICE_NOW, Proration.NEXT_INVOICE])
async def test_change_while_the_invoice_is_a_draft__names_the_line_that_charged_in_the_end(
    market: Market, proration: Proration
) -> None:
    """The draft of 1 May bills April's calls and May's fee; it is in its grace when the plan changes."""
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await market.sell(fee("20"), calls(flat("1")))
    await desk.sell("pro", fee("50", name="Pro"))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    await market.bill(day(4, 1))
    await market.use(customer, "3", day(4, 1))
    await market.bill(day(5, 1))
    drafted = (await desk.invoices())[1]
    await desk.change(held, to_plan("pro"), NOW, proration)
    await market.bill(day(5, 1, 17))
    await market.bill(day(6, 1))
    await market.bill(day(6, 1, 17))

    invoices = await desk.invoices()
    lines = {line.id: (one, line) for one in invoices for line in one.lines}
    backs = [
        line for _, line in lines.values() if line.kind is LineKind.PRORATION and line.amount < 0
    ]
    assert backs
    for back in backs:
        assert back.source_line_id is not None
        charged_on, charged = lines[back.source_line_id]
        assert charged_on.id == drafted.id
        assert (charged.kind, charged.component_id) == (LineKind.RECURRING, back.component_id)


@pytest.mark.spec("INV-3", "CRD-7")
async def test_finalized_draft__is_made_of_the_lines_that_it_showed(market: Market) -> None:
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await market.sell(fee("20"), calls(flat("1")))
    customer = await market.sign_up()
    await desk.take("plan", customer=customer)
    await market.bill(day(4, 1))
    market.clock.advance(day(4, 21))
    await market.use(customer, "3", day(4, 20))
    await market.bill(day(5, 1))
    drafted = (await desk.invoices())[1]
    await market.use(customer, "4", day(4, 21))
    await market.bill(day(5, 1, 17))
    final = (await desk.invoices())[1]

    assert final.subtotal == drafted.subtotal + 4
    assert [line.id for line in final.lines] == [line.id for line in drafted.lines]
