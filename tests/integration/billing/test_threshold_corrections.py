"""What threshold invoices billed ahead, when usage or an invoice is corrected (INV-6, INV-8, EVT-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing.finalize_invoices import finalize_invoice
from candela_server.billing.model import (
    InvoiceTransitionRefusedError,
    LineKind,
)
from candela_server.billing.reissue_invoice import reissue_invoice

from tests.helpers.market import Market, calls, graduated
from tests.helpers.thresholds import (
    FEBRUARY,
    MARCH,
    billed_ahead,
    close,
    day,
    look,
    settle,
    use,
    void,
)

D = Decimal


@pytest.mark.spec("EVT-9", "INV-2")
async def test_event_after_the_periods_invoice__is_adjusted_once(market: Market) -> None:
    customer, _, _ = await billed_ahead(market, "900", calls(graduated()))
    await close(market, FEBRUARY)
    market.clock.advance(datetime(2026, 3, 2, tzinfo=UTC))
    await market.use(customer, "200", day(20))
    await close(market, MARCH)

    assert await market.lines() == [
        [("threshold", "90.00")],
        [("usage", "90.00"), ("threshold", "-90.00")],
        [("usage", "0.00"), ("adjustment", "15.00")],
    ]


@pytest.mark.spec("EVT-4", "INV-8")
async def test_usage_taken_back_after_the_threshold_invoice__is_given_back_by_a_note(
    market: Market,
) -> None:
    customer, _, key = await billed_ahead(market, "80")
    await market.take_back(key)
    await use(market, customer, "30", day(10))
    assert await look(market, day(10)) == 0
    assert await settle(market) == 0
    await close(market, FEBRUARY)
    assert [await settle(market), await settle(market)] == [1, 0]
    await use(market, customer, "70", datetime(2026, 3, 10, tzinfo=UTC))
    await close(market, MARCH)

    assert await market.lines() == [
        [("threshold", "80.00")],
        [("usage", "30.00"), ("threshold", "-30.00")],
        [("usage", "70.00")],
    ]
    [ahead, *_] = await market.invoices()
    assert ahead.amount_due == D(30)


@pytest.mark.spec("INV-6")
async def test_threshold_invoice_voided_while_its_period_runs__is_billed_by_the_periods_invoice(
    market: Market,
) -> None:
    customer, _, _ = await billed_ahead(market, "80")
    [first] = await market.invoices()
    await void(market, first)

    assert await look(market, day(6)) == 0  # it was voided for a reason
    await use(market, customer, "50", day(10))
    assert await look(market, day(10)) == 1
    await close(market, FEBRUARY)

    assert await market.lines() == [
        [("threshold", "80.00")],
        [("threshold", "130.00")],
        [("usage", "130.00"), ("threshold", "-130.00")],
    ]


@pytest.mark.spec("INV-6")
async def test_threshold_invoice_voided_after_its_period__is_owed_on_the_next_invoice(
    market: Market,
) -> None:
    await billed_ahead(market, "80")
    await close(market, FEBRUARY)
    await void(market, (await market.invoices())[0])
    await close(market, MARCH)

    assert (await market.lines())[1:] == [
        [("usage", "80.00"), ("threshold", "-80.00")],
        [("usage", "0.00"), ("threshold", "80.00")],
    ]


@pytest.mark.spec("INV-6")
async def test_periods_invoice_reissued__takes_off_the_same_again(market: Market) -> None:
    customer, _, _ = await billed_ahead(market, "80")
    await use(market, customer, "5", day(6))
    await close(market, FEBRUARY)
    ahead, regular = await market.invoices()

    async with market.db.writing(market.merchant_id) as tx:
        _, again = await reissue_invoice(tx, market.events, market.clock, regular.id, reason="")
    with pytest.raises(InvoiceTransitionRefusedError, match="the next invoice of the period"):
        async with market.db.writing(market.merchant_id) as tx:
            await reissue_invoice(tx, market.events, market.clock, ahead.id, reason="")

    async with market.db.writing(market.merchant_id) as tx:
        final = await finalize_invoice(tx, market.events, again.id, now=market.clock.now())
    assert [(line.kind, line.amount) for line in final.lines] == [
        (LineKind.USAGE, D(85)),
        (LineKind.THRESHOLD, D(-80)),
    ]
