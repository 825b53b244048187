"""What threshold invoices billed ahead, when the subscription changes or ends (SUB-6, INV-2, INV-6)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing import credit_note_store
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import InvoiceStatus
from candela_server.billing.write_off_invoice import write_off_invoice
from candela_server.subscription.change import Cancellation

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.crediting import give
from tests.helpers.market import Market, calls, fee, flat, graduated
from tests.helpers.thresholds import (
    FEBRUARY,
    GRACE,
    MARCH,
    billed_ahead,
    close,
    day,
    look,
    settle,
    subscribe,
    use,
    void,
)

D = Decimal


async def settle_at(market: Market, now: datetime) -> int:
    """The look of an hour."""
    market.clock.advance(now)
    return await settle(market)


async def kept(market: Market) -> Decimal:
    """What was billed and not given back."""
    async with market.db.reading(market.merchant_id) as tx:
        notes = await credit_note_store.page_credit_notes(tx, invoice_id=None, limit=99, after=None)
    billed = [one.total for one in await market.invoices() if one.status is not InvoiceStatus.VOID]
    return sum(billed, D(0)) - sum((one.total for one in notes), D(0))


@pytest.mark.spec("SUB-6", "INV-2")
async def test_plan_left_after_a_threshold_invoice__its_part_of_the_period_takes_it_off(
    market: Market,
) -> None:
    desk = Desk(market)
    customer, held, _ = await billed_ahead(market, "600", calls(graduated()))
    await desk.sell("basic", fee("20", name="Basic"))
    await use(market, customer, "50", day(8))
    market.clock.advance(day(10))
    await desk.change(held, to_plan("basic"), NOW)
    assert await look(market, day(11)) == 0
    await close(market, day(12), FEBRUARY)

    usage = [
        line
        for lines in await market.lines()
        for line in lines
        if line[0] in ("usage", "threshold")
    ]
    assert usage == [("threshold", "60.00"), ("usage", "65.00"), ("threshold", "-60.00")]


@pytest.mark.spec("SUB-6", "INV-2")
async def test_plan_left_and_joined_again__counts_both_parts_once(market: Market) -> None:
    desk = Desk(market)
    customer, held, _ = await billed_ahead(market, "600", calls(graduated()))
    await desk.sell("basic", fee("0", name="Basic"))
    market.clock.advance(day(10))
    await desk.change(held, to_plan("basic"), NOW)
    market.clock.advance(day(12))
    await desk.change(held, to_plan("plan"), NOW)
    await use(market, customer, "1400", day(15))
    assert await look(market, day(15)) == 1
    await use(market, customer, "100", day(16))
    await close(market, day(17), FEBRUARY)

    # 1000 × 0.10 + 1100 × 0.05, as if the plan had never been left
    assert await kept(market) == D("155.00")


@pytest.mark.spec("SUB-6", "INV-2")
async def test_cancelled_after_a_threshold_invoice__the_last_invoice_bills_the_rest(
    market: Market,
) -> None:
    desk = Desk(market)
    customer, held, _ = await billed_ahead(market, "60")
    await use(market, customer, "7", day(6))
    market.clock.advance(day(10))
    await desk.change(held, Cancellation(), NOW)
    assert await look(market, day(11)) == 0
    await close(market, day(12), FEBRUARY)

    assert await market.lines() == [
        [("threshold", "60.00")],
        [("usage", "67.00"), ("threshold", "-60.00")],
    ]
    assert await settle_at(market, MARCH) == 0


@pytest.mark.spec("INV-6", "EVT-4")
@pytest.mark.parametrize("paid", [True, False])
async def test_usage_taken_back_before_the_end__is_given_back_by_a_note_once(
    market: Market, paid: bool
) -> None:
    desk = Desk(market)
    customer, held, key = await billed_ahead(market, "60")
    if paid:
        [invoice] = await market.invoices()
        async with market.db.writing(market.merchant_id) as tx:
            await mark_invoice_paid(
                tx,
                market.clock,
                MarkInvoicePaid(invoice_id=invoice.id, paid_at=None, reference="wire"),
            )
    await market.take_back(key)
    await use(market, customer, "20", day(6))
    market.clock.advance(day(10))
    await desk.change(held, Cancellation(), NOW)

    assert await settle_at(market, day(10)) == 0  # its last invoice is a draft still
    await market.bill(day(10) + GRACE)
    assert await settle_at(market, day(11)) == 1
    assert await settle_at(market, day(12)) == 0
    assert await kept(market) == D(20)


@pytest.mark.spec("INV-6")
async def test_threshold_invoice_voided_after_the_end__is_owed_on_an_invoice_of_its_own(
    market: Market,
) -> None:
    desk = Desk(market)
    _, held, _ = await billed_ahead(market, "60")
    market.clock.advance(day(10))
    await desk.change(held, Cancellation(), NOW)
    await market.bill(day(10) + GRACE)
    await void(market, (await market.invoices())[0])

    assert await settle_at(market, day(11)) == 1
    assert await settle_at(market, day(12)) == 0
    assert (await market.lines())[2:] == [[("threshold", "60.00")]]
    assert await kept(market) == D(60)


@pytest.mark.spec("INV-2", "SUB-6")
async def test_plan_without_a_threshold_taken_in_a_period__bills_no_more_ahead(
    market: Market,
) -> None:
    desk = Desk(market)
    customer, held, _ = await billed_ahead(market, "60")
    await desk.sell("plain", calls(flat("2")))
    market.clock.advance(day(10))
    await desk.change(held, to_plan("plain"), NOW)
    await use(market, customer, "100", day(15))
    assert await look(market, day(15)) == 0
    await close(market, day(16), FEBRUARY)

    assert await kept(market) == D(260)


@pytest.mark.spec("INV-6", "INV-2")
async def test_threshold_invoice_written_off__is_not_asked_for_again(market: Market) -> None:
    customer, _, _ = await billed_ahead(market, "60")
    [ahead] = await market.invoices()
    async with market.db.writing(market.merchant_id) as tx:
        await write_off_invoice(tx, market.clock, ahead.id, reason="bankrupt")
    await use(market, customer, "10", day(6))
    await close(market, FEBRUARY)

    assert (await market.lines())[1] == [("usage", "70.00"), ("threshold", "-60.00")]


@pytest.mark.spec("CRD-8", "INV-2")
async def test_money_given_by_hand__pays_the_threshold_invoice_and_then_the_rest_once(
    market: Market,
) -> None:
    customer = await subscribe(market, fee("20"), calls(flat("1")))
    await market.bill(datetime(2026, 1, 31, 15, tzinfo=UTC))
    await give(market.shop, customer, "65", currency="USD")
    await use(market, customer, "60", day(5))
    assert await look(market, day(5)) == 1
    await use(market, customer, "10", day(6))
    await close(market, FEBRUARY)

    assert [one.total for one in await market.invoices()] == [D(20), D(0), D(25)]
    # 70 used and a fee of 20, less 60 billed ahead, less the 5.00 that are left of 65.00
    assert sorted(amount for _, amount in (await market.lines())[2]) == [
        "-5.00",
        "-60.00",
        "20.00",
        "70.00",
    ]
    assert await market.balances() == [D(0)]


@pytest.mark.spec("INV-3", "INV-6")
async def test_usage_taken_back_while_the_periods_invoice_is_a_draft__takes_off_less(
    market: Market,
) -> None:
    customer = await subscribe(market, fee("100"), calls(flat("1")))
    await market.bill(datetime(2026, 1, 31, 15, tzinfo=UTC))
    key = await use(market, customer, "60", day(5))
    await look(market, day(5))
    await use(market, customer, "20", day(6))
    await market.bill(FEBRUARY)
    drafted = (await market.invoices())[2].total
    await market.take_back(key)
    assert await settle(market) == 0
    await market.bill(FEBRUARY + GRACE)
    made = [await settle(market), await settle(market)]

    # 80 − 60, and then 20 of which all was billed ahead; 40 of the 60 come back
    assert (drafted, (await market.invoices())[2].total) == (D(120), D(100))
    assert made == [1, 0]
    assert await kept(market) == D(100) + D(20) + D(100)


@pytest.mark.spec("INV-3", "EVT-9")
async def test_event_while_the_periods_invoice_is_a_draft__is_on_it(market: Market) -> None:
    customer, _, _ = await billed_ahead(market, "60")
    await market.bill(FEBRUARY)
    await market.use(customer, "7", day(20))
    await market.bill(FEBRUARY + GRACE)

    assert (await market.lines())[1] == [("usage", "67.00"), ("threshold", "-60.00")]


@pytest.mark.spec("INV-6")
async def test_periods_invoice_voided_and_not_reissued__leaves_what_was_billed_ahead(
    market: Market,
) -> None:
    customer, _, _ = await billed_ahead(market, "60")
    await use(market, customer, "7", day(6))
    await close(market, FEBRUARY)
    await void(market, (await market.invoices())[1])
    assert await settle(market) == 0
    await close(market, MARCH)

    assert (await market.lines())[2:] == [[("usage", "0.00")]]
    assert await kept(market) == D(60)
