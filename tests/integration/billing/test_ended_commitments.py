"""Minimum commitments whose subscriptions end, pause or come back within a period, in real runs (DSL-10, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.model import InvoiceStatus
from candela_server.subscription.change import Cancellation, Pause, Reactivation, Resume

from tests.helpers.changing import NOW, PERIOD_END, Desk
from tests.helpers.market import Market, fee
from tests.integration.billing import committing
from tests.integration.billing.committing import GRACE, begin, day, kinds, run, sell

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    return await committing.open_desk(market)


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_end_at_once__settles_the_open_commitment(desk: Desk) -> None:
    customer, held = await begin(desk, "most")
    await desk.market.use(customer, "25", day(4, 1))
    desk.market.clock.advance(day(4, 11))

    preview = await desk.preview(held, Cancellation(), NOW)
    await desk.change(held, Cancellation(), NOW)

    # 10 of 30 days: 300.00 ÷ 3 = 100.00; the fee costs 20.00 of its 60.00, calls 25.00; 55.00 are missing
    _, last = await desk.invoices()
    assert kinds(last) == [("proration", "-40.00"), ("true_up", "55.00"), ("usage", "25.00")]
    assert [kinds(one) for one in preview.invoices] == [kinds(last)]
    await run(desk, day(4, 11))
    await run(desk, day(6, 1))
    assert await desk.totals() == [D("60.00"), D("40.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_end_at_the_periods_end__settles_the_whole_period(desk: Desk) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "25", day(4, 1))
    await desk.change(held, Cancellation(), PERIOD_END)
    await run(desk, day(5, 1))

    assert kinds((await desk.invoices())[-1]) == [("true_up", "65.00"), ("usage", "25.00")]
    await run(desk, day(6, 1))
    assert await desk.totals() == [D("90.00")]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_end_of_a_price_without_usage__settles_its_commitment_too(desk: Desk) -> None:
    await sell(desk, "bare", fee("10", name="Bare"), least="40")
    _, held = await begin(desk, "bare")
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Cancellation(), NOW)

    # 40.00 ÷ 2 = 20.00; the fee costs 5.00; −5.00 + 15.00
    assert await desk.totals() == [D("10.00"), D("10.00")]
    assert (await desk.invoices())[-1].status is InvoiceStatus.FINALIZED


@pytest.mark.spec("DSL-10", "SUB-6", "SUB-7")
async def test_pause__is_no_day_of_the_commitment(desk: Desk) -> None:
    _, held = await begin(desk, "least")
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, Pause(resume_at=day(4, 21)))
    await desk.market.bill(day(4, 21))
    await run(desk, day(5, 1))

    # 20 of 30 days of 90.00, in all
    lines = [line for one in await desk.invoices() for line in one.lines if line.amount]
    assert sum(line.amount for line in lines) == D("60.00")


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_price_taken_up_again_after_the_end__begins_a_commitment_of_its_own(
    desk: Desk,
) -> None:
    _, held = await begin(desk, "least")
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(4, 11) + GRACE)
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, Reactivation(price_id=None))
    await run(desk, day(5, 21))

    # 10 of 30 days; then a whole period from 21 April to 21 May
    assert await desk.totals() == [D("30.00"), D("90.00")]


@pytest.mark.spec("DSL-10", "EVT-9", "SUB-6")
async def test_late_usage_after_a_return__fills_the_commitment_of_a_period_counted_as_before(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "least")
    await desk.market.use(customer, "20", day(4, 1))
    await run(desk, day(5, 1))
    desk.market.clock.advance(day(5, 5))
    await desk.change(held, Cancellation(), NOW)
    desk.market.clock.advance(day(5, 20))
    await desk.change(held, Reactivation(price_id=None))
    await desk.market.use(customer, "10", day(4, 25))
    await run(desk, day(6, 20))

    # April has 30 days, what is counted from 20 May 31: the 10.00 of April are a part of its 90.00
    assert kinds((await desk.invoices())[-1]) == [
        ("adjustment", "-10.00"),
        ("adjustment", "10.00"),
        ("true_up", "90.00"),
    ]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_return_within_the_period_that_was_ended__keeps_the_least_of_its_days(
    desk: Desk,
) -> None:
    await sell(desk, "base", fee("60"), least="90")
    _, held = await begin(desk, "base")
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, Cancellation(), NOW)
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, Reactivation(price_id=None))
    await run(desk, day(4, 21))

    # 10 of 30 days cost 20.00 and at least 30.00, so that a note gave 30.00 back of the 60.00; the 60.00 of the return
    # are no charge of those days
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "-10.00"),
        ("recurring", "60.00"),
        ("true_up", "10.00"),
    ]


@pytest.mark.spec("DSL-10", "SUB-6", "SUB-7")
async def test_pause_and_resumption_by_hand__settle_once(desk: Desk) -> None:
    _, held = await begin(desk, "most")
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Pause(resume_at=None))
    await run(desk, day(4, 16))
    desk.market.clock.advance(day(5, 1))
    await desk.change(held, Resume())
    await run(desk, day(5, 1))
    await run(desk, day(6, 1))

    # April: 300.00 ÷ 2 in all; May: 300.00; June's fee
    assert sum(await desk.totals()) == D("150.00") + D("300.00") + D("60.00")
