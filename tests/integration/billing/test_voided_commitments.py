"""Invoices of plans with a commitment that are voided, and reissued or not (DSL-10, INV-6).

What a void invoice charged is asked for by its reissue alone: no true-up asks for it in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.customer.model import Customer

from tests.helpers.changing import Desk
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.committing import begin, day, kinds, open_desk, run, sell
from tests.integration.billing.test_voided_ends import reissue, void

D = Decimal
QUARTER = {4: "50", 5: "60", 6: "70"}
"""What is used in each month of a quarter that costs 300.00 at least: 120.00 are missing."""


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; calls are 1.00 each, and "quarter" costs at least 300.00 in three months."""
    made = await open_desk(market)
    await sell(made, "quarter", calls(flat("1")), least="300", rule="FREQ=MONTHLY;INTERVAL=3")
    return made


async def month(desk: Desk, customer: Customer, number: int, used: str) -> None:
    """So many calls in a month, which is billed for good."""
    desk.market.clock.advance(day(number, 20))
    await desk.market.use(customer, used, day(number, 20))
    await run(desk, day(number + 1, 1))


async def asked(desk: Desk) -> list[list[tuple[str, str]]]:
    """What the invoices that stand ask for."""
    return [kinds(one) for one in await desk.invoices() if one.status is not InvoiceStatus.VOID]


async def reissue_for_good(desk: Desk, number: int) -> Invoice:
    """The invoice in the place of one, once it is final."""
    draft = await reissue(desk, number)
    await desk.market.bill(desk.market.clock.now() + timedelta(hours=3))
    [found] = [one for one in await desk.invoices() if one.id == draft.id]
    assert found.status is not InvoiceStatus.DRAFT
    return found


@pytest.mark.spec("DSL-10", "INV-6")
@pytest.mark.parametrize("at_once", [True, False], ids=["in one step", "voided before"])
async def test_invoice_with_a_true_up_that_is_reissued__asks_for_the_same(
    desk: Desk, at_once: bool
) -> None:
    customer, _ = await begin(desk, "quarter")
    for number, used in QUARTER.items():
        await month(desk, customer, number, used)
    before = (await desk.invoices())[2]
    if not at_once:
        await void(desk, 2)
    again = await reissue_for_good(desk, 2)

    assert kinds(before) == [("true_up", "120.00"), ("usage", "70.00")]
    assert kinds(again) == kinds(before)


@pytest.mark.spec("DSL-10", "INV-6")
@pytest.mark.parametrize("reissued_before", [0, 1, 2], ids=["never", "within it", "after it"])
@pytest.mark.parametrize("voided", [[4], [4, 5]], ids=["the first month", "two months"])
async def test_earlier_invoice_of_the_commitment_that_is_void__is_asked_for_by_its_reissue_alone(
    desk: Desk, voided: Sequence[int], reissued_before: int
) -> None:
    customer, _ = await begin(desk, "quarter")
    for number in (4, 5):
        await month(desk, customer, number, QUARTER[number])
    for number in voided:
        await void(desk, number - 4)
    if reissued_before == 1:
        for number in voided:
            await reissue_for_good(desk, number - 4)
    await month(desk, customer, 6, QUARTER[6])
    if reissued_before == 2:
        for number in voided:
            await reissue_for_good(desk, number - 4)

    # 300.00 in all, less what is void and stays so.
    gone = sum(Decimal(QUARTER[number]) for number in voided) if reissued_before == 0 else 0
    assert sum(Decimal(amount) for one in await asked(desk) for _, amount in one) == 300 - gone
    assert [("true_up", "120.00"), ("usage", "70.00")] in await asked(desk)


@pytest.mark.spec("DSL-10", "INV-6")
async def test_fee_of_the_commitments_month_on_a_void_invoice__is_not_made_up_for(
    desk: Desk,
) -> None:
    customer, _ = await begin(desk, "most")
    await void(desk, 0)
    await month(desk, customer, 4, "100")
    last = (await desk.invoices())[-1]
    again = await reissue_for_good(desk, 0)

    # 300.00 − the fee of 60.00 − 100 calls
    assert kinds(last) == [("recurring", "60.00"), ("true_up", "140.00"), ("usage", "100.00")]
    assert kinds(again) == [("recurring", "60.00")]


@pytest.mark.spec("DSL-10", "EVT-9", "INV-6")
async def test_late_usage_beside_a_void_invoice_of_the_commitment__takes_as_much_off_the_true_up(
    desk: Desk,
) -> None:
    customer, _ = await begin(desk, "quarter")
    for number, used in QUARTER.items():
        await month(desk, customer, number, used)
    await void(desk, 0)
    desk.market.clock.advance(day(7, 2))
    await desk.market.use(customer, "5", day(6, 28))
    await month(desk, customer, 7, "10")

    assert kinds((await desk.invoices())[-1]) == [
        ("adjustment", "-5.00"),
        ("adjustment", "5.00"),
        ("usage", "10.00"),
    ]


@pytest.mark.spec("DSL-10", "INV-6")
async def test_true_up_of_fees_alone_that_is_reissued__asks_for_the_same(desk: Desk) -> None:
    await sell(desk, "fees", fee("30"), least="100", rule="FREQ=MONTHLY;INTERVAL=3")
    await begin(desk, "fees")
    for number in (5, 6, 7):
        await run(desk, day(number, 1))
    before = (await desk.invoices())[-1]
    again = await reissue_for_good(desk, 3)

    assert kinds(before) == [("recurring", "30.00"), ("true_up", "10.00")]
    assert kinds(again) == kinds(before)
