"""Commitments some of whose charges are void: a true-up does not ask for them in their place (DSL-10, INV-6)."""

from __future__ import annotations

import pytest

from candela_server.billing.model import Invoice
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice

from tests.helpers.changing import Desk, to_plan
from tests.helpers.market import Market
from tests.integration.billing import committing
from tests.integration.billing.committing import GRACE, begin, day, kinds, run


@pytest.fixture
async def desk(market: Market) -> Desk:
    return await committing.open_desk(market)


async def void(desk: Desk, invoice: Invoice) -> None:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await void_invoice(tx, desk.market.clock, invoice.id, reason="tests")


async def reissue(desk: Desk, invoice: Invoice) -> None:
    market = desk.market
    async with market.db.writing(market.merchant_id) as tx:
        await reissue_invoice(tx, market.events, market.clock, invoice.id, reason="tests")


@pytest.mark.spec("DSL-10", "INV-6")
async def test_fee_that_is_void_as_its_commitments_period_ends__is_asked_for_by_its_reissue_only(
    desk: Desk,
) -> None:
    customer, _ = await begin(desk, "most")
    [april] = await desk.invoices()
    desk.market.clock.advance(day(4, 10))
    await desk.market.use(customer, "30", day(4, 5))
    await void(desk, april)
    await run(desk, day(5, 1))
    may = (await desk.invoices())[-1]
    await reissue(desk, april)
    await run(desk, day(5, 1) + 2 * GRACE)

    # 300.00 for April, less 30.00 of calls and the fee of 60.00, which is forgiven until it is billed again
    assert kinds(may) == [("recurring", "60.00"), ("true_up", "210.00"), ("usage", "30.00")]
    assert kinds((await desk.invoices())[-1]) == [("recurring", "60.00")]


@pytest.mark.spec("DSL-10", "INV-6", "EVT-9")
async def test_fee_that_is_void_when_late_usage_comes__is_not_asked_for_by_the_corrected_true_up(
    desk: Desk,
) -> None:
    customer, _ = await begin(desk, "most")
    [april] = await desk.invoices()
    await run(desk, day(5, 1))
    desk.market.clock.advance(day(5, 3))
    await void(desk, april)
    await desk.market.use(customer, "5", day(4, 28))
    await run(desk, day(6, 1))

    *_, may, june = await desk.invoices()
    assert ("true_up", "240.00") in kinds(may)
    assert kinds(june) == [
        ("adjustment", "-5.00"),
        ("adjustment", "5.00"),
        ("recurring", "60.00"),
        ("true_up", "240.00"),
    ]


@pytest.mark.spec("DSL-10", "INV-6", "SUB-6")
async def test_fee_that_is_void_as_its_price_is_left__counts_for_the_days_of_the_commitment(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "most")
    [april] = await desk.invoices()
    desk.market.clock.advance(day(4, 10))
    await desk.market.use(customer, "20", day(4, 5))
    await void(desk, april)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"))
    await run(desk, day(5, 1))
    may = (await desk.invoices())[-1]
    await reissue(desk, april)
    await run(desk, day(5, 1) + 2 * GRACE)

    # 15 of 30 days: 150.00, less 20.00 of calls and the fee of 60.00
    assert ("true_up", "70.00") in kinds(may)
    # Reissued it bills 15 of 30 days of the fee, so that 30.00 more are missing.
    assert kinds((await desk.invoices())[-1]) == [
        ("adjustment", "30.00"),
        ("proration", "-30.00"),
        ("recurring", "60.00"),
    ]
