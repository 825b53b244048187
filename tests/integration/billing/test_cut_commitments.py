"""Minimum commitments that are joined or left within their periods, in real runs (DSL-10, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import price_pb2

from candela_server.billing.model import LineKind
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.subscription.change import QuantityChange
from candela_server.subscription.model import Proration

from tests.helpers.changing import Desk, swap, to_plan
from tests.helpers.market import SEATS, Market, calls, fee, flat
from tests.integration.billing import committing
from tests.integration.billing.committing import GRACE, begin, day, kinds, run, sell

D = Decimal
INVOICE_NOW, NONE = Proration.INVOICE_NOW, Proration.NONE


@pytest.fixture
async def desk(market: Market) -> Desk:
    return await committing.open_desk(market)


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_commitment_that_is_left__is_made_up_for_its_days_against_its_usage(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"))
    await desk.market.use(customer, "500", day(4, 16))
    await run(desk, day(5, 1))

    # 15 of 30 days: 90.00 ÷ 2 = 45.00, less 20.00; the usage of the other plan does not count
    last = (await desk.invoices())[-1]
    assert kinds(last) == [
        ("proration", "15.00"),
        ("recurring", "30.00"),
        ("true_up", "25.00"),
        ("usage", "20.00"),
        ("usage", "500.00"),
    ]
    [line] = [one for one in last.lines if one.kind is LineKind.TRUE_UP]
    assert line.description == (
        "Up to the minimum of 45.00 for 15 of 30 days at 90.00 after charges of 20.00, "
        "1 Apr – 16 Apr 2026"
    )
    await run(desk, day(6, 1))
    assert kinds((await desk.invoices())[-1]) == [("recurring", "30.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_commitment_that_is_joined__is_for_its_days_and_settled_at_the_periods_end(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "plan")
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("most"), proration=INVOICE_NOW)
    first = (await desk.invoices())[-1]
    await desk.market.use(customer, "30", day(4, 21))
    await run(desk, day(5, 1))
    await run(desk, day(6, 1))

    # −10.00 and +20.00 at once; April: 300.00 × 10 ÷ 30 = 100.00, less the fee's 20.00 and 30.00 for calls
    assert kinds(first) == [("proration", "-10.00"), ("proration", "20.00")]
    *_, may, june = await desk.invoices()
    assert kinds(may) == [("recurring", "60.00"), ("true_up", "50.00"), ("usage", "30.00")]
    # May is whole: 300.00 − 60.00
    assert kinds(june) == [("recurring", "60.00"), ("true_up", "240.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_commitment_that_is_joined__asks_for_nothing_of_the_period_before(desk: Desk) -> None:
    await sell(desk, "weekly", fee("7", rule="FREQ=WEEKLY"), least="90")
    _, held = await begin(desk, "plan")
    await run(desk, day(5, 1))
    desk.market.clock.advance(day(5, 4))
    await desk.change(held, to_plan("weekly"))
    await run(desk, day(5, 6))

    # The first week begins after April's end, but nothing was promised for April. Of the old fee it gives back as much
    # as it bears.
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "-9.00"),
        ("proration", "2.00"),
        ("recurring", "7.00"),
    ]


@pytest.mark.spec("DSL-10", "SEAT-1")
async def test_seats_that_are_added__fill_the_commitment_of_their_period_at_once(
    desk: Desk,
) -> None:
    seat = price_pb2.PriceComponent(
        name="Seat", kind=SEATS, recurrence_rule="FREQ=MONTHLY", charge=flat("15")
    )
    await sell(desk, "team", seat, least="100")
    held = await desk.take("team", seats=1)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, QuantityChange(quantities=dict.fromkeys(held.version.quantities, D(4))))
    await run(desk, day(5, 1))

    # One seat for 20 of 30 days and four for 10: 10.00 + 20.00, 15.00 of it billed; so 70.00 are missing to 100.00
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "15.00"),
        ("recurring", "60.00"),
        ("true_up", "70.00"),
    ]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_commitment_for_another__each_is_made_up_for_its_own_days(desk: Desk) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "60", day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("most"))
    await desk.market.use(customer, "10", day(4, 11))
    await run(desk, day(5, 1))

    # 10 of 30 days of 90.00 are 30.00, reached by 60.00; 20 of 300.00 are 200.00, less 40.00 and 10.00
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "40.00"),
        ("recurring", "60.00"),
        ("true_up", "150.00"),
        ("usage", "10.00"),
        ("usage", "60.00"),
    ]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_change_and_its_undo_on_one_day__leave_the_commitment_as_it_was(desk: Desk) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("most"))
    await desk.change(held, to_plan("least"))
    await run(desk, day(5, 1))

    assert await desk.totals() == [D("90.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_price_taken_up_again_within_the_period__is_settled_for_all_its_days(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "least")
    desk.market.clock.advance(day(4, 7))
    await desk.change(held, to_plan("plan"), proration=INVOICE_NOW)
    left = await desk.invoices()
    await desk.market.bill(day(4, 7) + GRACE)
    desk.market.clock.advance(day(4, 19))
    await desk.change(held, to_plan("least"), proration=INVOICE_NOW)
    await desk.market.bill(day(4, 19) + GRACE)
    await desk.market.use(customer, "50", day(4, 19) + GRACE)
    await run(desk, day(5, 1))

    # 6 of 30 days: 18.00 at once. In all 6 + 12 days: 54.00, less 50.00 that were used; 14.00 of the 18.00 go back
    assert [line.amount for line in left[-1].lines if line.kind is LineKind.TRUE_UP] == [D("18.00")]
    lines = [line for one in await desk.invoices() for line in one.lines if not line.component_id]
    assert [line.amount for line in lines] == [D("18.00"), D("-14.00")]
    assert lines[1].source_line_id == lines[0].id


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_change_without_proration__leaves_the_commitment_whole_for_its_period(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("most"), proration=NONE)
    await run(desk, day(5, 1))

    # 90.00 − 20.00 for all of April; nothing is asked for by the new price until May
    assert kinds((await desk.invoices())[-1]) == [
        ("recurring", "60.00"),
        ("true_up", "70.00"),
        ("usage", "20.00"),
    ]


@pytest.mark.spec("DSL-10", "EVT-9")
async def test_late_usage_of_the_part_that_was_left__fills_its_commitment(desk: Desk) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"))
    await desk.market.bill(day(5, 1))
    await desk.market.use(customer, "5", day(4, 10))
    await desk.market.bill(day(5, 1) + GRACE)
    settled = kinds((await desk.invoices())[-1])
    desk.market.clock.advance(day(5, 5))
    await desk.market.use(customer, "30", day(4, 10))
    await run(desk, day(6, 1))

    # 45.00 − 20.00 = 25.00 on the draft, less 5.00 when it is final; then 30.00 come, and all 20.00 go back
    assert settled == [
        ("proration", "15.00"),
        ("recurring", "30.00"),
        ("true_up", "20.00"),
        ("usage", "25.00"),
    ]
    assert kinds((await desk.invoices())[-1]) == [
        ("adjustment", "-20.00"),
        ("adjustment", "30.00"),
        ("recurring", "30.00"),
    ]
    await run(desk, day(7, 1))
    assert kinds((await desk.invoices())[-1]) == [("recurring", "30.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_yearly_commitment_that_is_left__is_settled_when_it_is(desk: Desk) -> None:
    await sell(desk, "year", calls(flat("1")), least="365", rule="FREQ=YEARLY")
    customer, held = await begin(desk, "year")
    await desk.market.use(customer, "10", day(4, 1))
    await run(desk, day(5, 1))
    await desk.market.use(customer, "15", day(5, 1) + GRACE)
    desk.market.clock.advance(day(5, 11))
    await desk.change(held, to_plan("plan"), proration=INVOICE_NOW)
    await desk.market.bill(day(5, 11) + GRACE)

    # 40 of 365 days: 40.00, less 10.00 of April and 15.00 of May; the new fee costs 21 of 31 days
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "20.32"),
        ("true_up", "15.00"),
        ("usage", "15.00"),
    ]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_swap_under_a_commitment__leaves_it_whole(desk: Desk) -> None:
    customer, held = await begin(desk, "most")
    await desk.market.use(customer, "25", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, swap(await desk.component(held, 1), calls(flat("2"))))
    await desk.market.use(customer, "10", day(4, 16))
    await run(desk, day(5, 1))
    await run(desk, day(6, 1))

    # 300.00 − 60.00 − 25.00 − 20.00 = 195.00; May: 300.00 − 60.00
    *_, may, june = await desk.invoices()
    assert kinds(may) == [
        ("recurring", "60.00"),
        ("true_up", "195.00"),
        ("usage", "20.00"),
        ("usage", "25.00"),
    ]
    assert kinds(june) == [("recurring", "60.00"), ("true_up", "240.00")]


@pytest.mark.spec("DSL-10", "INV-6")
async def test_settled_commitment_on_a_void_invoice__is_not_asked_for_again(desk: Desk) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"), proration=INVOICE_NOW)
    await desk.market.bill(day(4, 16) + GRACE)
    settled = (await desk.invoices())[-1]
    assert ("true_up", "25.00") in kinds(settled)
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await void_invoice(tx, desk.market.clock, settled.id, reason="tests")
    await run(desk, day(5, 1))

    assert not any(line.kind is LineKind.TRUE_UP for line in (await desk.invoices())[-1].lines)


@pytest.mark.spec("DSL-10", "INV-6", "SUB-6")
async def test_fee_that_is_void_as_its_price_is_left__counts_for_the_days_of_the_commitment(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "most")
    [april] = await desk.invoices()
    desk.market.clock.advance(day(4, 10))
    await desk.market.use(customer, "20", day(4, 10))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await void_invoice(tx, desk.market.clock, april.id, reason="tests")
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"))
    await run(desk, day(5, 1))
    may = (await desk.invoices())[-1]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await reissue_invoice(tx, desk.market.events, desk.market.clock, april.id, reason="tests")
    await run(desk, day(5, 1) + 2 * GRACE)

    # 15 of 30 days: 150.00, less 20.00 of calls and the fee of 60.00
    assert ("true_up", "70.00") in kinds(may)
    # Reissued it bills 15 of 30 days of the fee, so that 30.00 more are missing.
    assert kinds((await desk.invoices())[-1]) == [
        ("adjustment", "30.00"),
        ("proration", "-30.00"),
        ("recurring", "60.00"),
    ]
