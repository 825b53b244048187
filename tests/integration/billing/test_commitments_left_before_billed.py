"""Commitments that are left: once a period is over but not billed, at the instant of another change (DSL-10, SUB-6)."""

from __future__ import annotations

import pytest

from candela_server.billing.model import Invoice, LineKind
from candela_server.subscription.change import Cancellation, Change, Pause
from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, PERIOD_END, Desk, to_plan
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.committing import GRACE, begin, day, kinds, run, sell

WEEKLY = "FREQ=WEEKLY"


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00. "weekly" costs 4.40 a week, and 33.00 a month at least; "plan" 30.00 a month."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("30"), calls(flat("1")))
    await sell(made, "weekly", fee("4.40", rule=WEEKLY), least="33")
    return made


def _true_ups(invoices: list[Invoice]) -> list[str]:
    return [
        f"{line.amount:f}"
        for one in invoices
        for line in one.lines
        if line.kind is LineKind.TRUE_UP and line.period.start_at == day(4, 1)
    ]


@pytest.mark.spec("DSL-10", "SUB-6")
@pytest.mark.parametrize(
    "change",
    [to_plan("plan"), Cancellation()],
    ids=["moved", "canceled"],
)
@pytest.mark.parametrize("proration", [Proration.NEXT_INVOICE, Proration.INVOICE_NOW])
async def test_whole_period_that_ended_before_a_change__is_made_up_for_all_the_same(
    desk: Desk, change: Change, proration: Proration
) -> None:
    held = await desk.take("weekly")
    for of_month in (1, 8, 15, 22, 29):
        await run(desk, day(4, of_month))
    # The week's invoice that would have the true-up is on 6 May.
    desk.market.clock.advance(day(5, 3))
    await desk.change(held, change, NOW, proration)
    for instant in (day(5, 3, 16), day(5, 6), day(6, 1), day(6, 3)):
        await run(desk, instant)

    # Five weeks of 4.40 begin in April, of the last of which 3 days of 7 come back: 33.00 − (22.00 − 1.89).
    assert _true_ups(await desk.invoices()) == ["12.89"]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_pause_at_the_instant_at_which_an_end_is_called_off__asks_for_what_is_missing_to_its_days(
    desk: Desk,
) -> None:
    await sell(desk, "least", fee("20"), calls(flat("1")), least="60")
    held = await desk.take("least")
    await run(desk, day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Cancellation(), PERIOD_END, Proration.NONE)
    desk.market.clock.advance(day(4, 16))
    await desk.undo_cancellation(held)
    await desk.change(held, Pause(resume_at=None), NOW, Proration.INVOICE_NOW)
    await run(desk, day(4, 16))

    # 15 of 30 days: 30.00, and the fee of 20.00 less 10.00 that come back: 20.00.
    assert _true_ups(await desk.invoices()) == ["20.00"]


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_price_that_is_taken_and_left_after_a_period_was_over__asks_nothing_for_that(
    desk: Desk,
) -> None:
    held = await desk.take("plan")
    await run(desk, day(4, 1))
    await run(desk, day(5, 1))
    desk.market.clock.advance(day(5, 2))
    await desk.change(held, to_plan("weekly"), NOW, Proration.NEXT_INVOICE)
    desk.market.clock.advance(day(5, 3))
    await desk.change(held, Cancellation(), NOW, Proration.INVOICE_NOW)
    await run(desk, day(5, 4))

    assert _true_ups(await desk.invoices()) == []


@pytest.mark.spec("DSL-10", "SUB-6")
async def test_commitment_that_bears_in_small_steps__bears_all_that_is_given_back(
    desk: Desk,
) -> None:
    await sell(desk, "lean", fee("30"), calls(flat("1")), least="61")
    customer, held = await begin(desk, "lean")
    await desk.market.use(customer, "1", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Pause(resume_at=None), NOW, Proration.INVOICE_NOW)
    await desk.market.bill(day(4, 16) + GRACE)

    # 15 of 30 days of the fee are given back. 15 of 30 days of 61.00 are 30.50, less 15.00 and 1.00 for calls. Each
    # 0.50 that the invoice gives back makes 0.50 more missing, which bears the next 0.50.
    assert kinds((await desk.invoices())[-1]) == [
        ("proration", "-15.00"),
        ("true_up", "14.50"),
        ("usage", "1.00"),
    ]
