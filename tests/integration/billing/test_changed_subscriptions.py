"""What changes of a subscription bill, with the arithmetic written out (SUB-6, SEAT-1, SEAT-2)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_pb2, price_terms_pb2

from candela_server.billing.model import InvoiceStatus, LineKind
from candela_server.subscription.change import (
    Cancellation,
    Pause,
    Resume,
    SubscriptionVersionMismatchError,
)
from candela_server.subscription.model import Proration, Status

from tests.helpers.changing import NOW, PERIOD_END, Desk, quantity, to_plan
from tests.helpers.market import SEATS, Market, calls, fee, flat

D = Decimal
INVOICE_NOW, NONE = Proration.INVOICE_NOW, Proration.NONE


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


def seats(amount: str, *, bill_immediately: bool = False) -> price_pb2.PriceComponent:
    return price_pb2.PriceComponent(
        name="Seat",
        kind=SEATS,
        recurrence_rule="FREQ=MONTHLY",
        charge=flat(amount),
        seats=price_pb2.SeatTerms(minimum_seats=1, bill_immediately=bill_immediately),
    )


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00 and "pro" 50.00 a month, "team" 10.00 a seat."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


@pytest.mark.spec("SUB-6", "SEAT-1", "SEAT-2")
async def test_upgrade_with_two_thirds_left__costs_the_difference_by_days_at_once(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))

    changed = await desk.change(held, to_plan("pro"), proration=INVOICE_NOW)

    # 20 of 30 days: 20.00 × 20 ÷ 30 = 13.33 back, 50.00 × 20 ÷ 30 = 33.33 due
    _, got = await desk.invoices()
    assert sorted((line.kind, line.amount) for line in got.lines) == [
        (LineKind.PRORATION, D("-13.33")),
        (LineKind.PRORATION, D("33.33")),
    ]
    assert got.total == D("20.00")
    assert got.status is InvoiceStatus.FINALIZED
    assert changed.subscription.version.number == 2
    assert sorted(line.description for line in got.lines) == [
        "Basic, 1 Apr – 1 May 2026: 10 of 30 days at 20.00; 20.00 billed before",
        "Pro, 1 Apr – 1 May 2026: 20 of 30 days at 50.00",
    ]
    await desk.market.bill(day(5, 1))
    assert await desk.totals() == [D("20.00"), D("20.00"), D("50.00")]


@pytest.mark.spec("SUB-6", "SEAT-2")
async def test_upgrade_for_the_next_invoice__is_on_it(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))

    await desk.change(held, to_plan("pro"))
    assert await desk.market.bill(day(4, 11)) == 0
    await desk.market.bill(day(5, 1))

    # −13.33 + 33.33 for April, 50.00 for May
    assert await desk.totals() == [D("20.00"), D("70.00")]


@pytest.mark.spec("SUB-6")
async def test_downgrade_at_once__gives_back_on_the_invoices_that_can_bear_it(desk: Desk) -> None:
    held = await desk.take("pro")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 2))

    await desk.change(held, to_plan("basic"), proration=INVOICE_NOW)
    assert len(await desk.invoices()) == 1
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    # 29 of 30 days: −48.33 + 19.33 = −29.00; May bears 20.00 of it, June the other 9.00
    assert await desk.totals() == [D("50.00"), D("0.00"), D("11.00")]


@pytest.mark.spec("SUB-6")
async def test_change_and_its_undo_on_one_day__cost_nothing(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("pro"))
    await desk.change(held, to_plan("basic"))
    await desk.market.bill(day(5, 1))

    assert await desk.market.lines() == [[("recurring", "20.00")], [("recurring", "20.00")]]


@pytest.mark.spec("SUB-6")
async def test_undo_after_the_change_was_billed__gives_it_back(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("pro"), proration=INVOICE_NOW)
    await desk.change(held, to_plan("basic"), proration=INVOICE_NOW)
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    # 20.00 for nothing goes back with May's 20.00
    assert await desk.totals() == [D("20.00"), D("20.00"), D("0.00"), D("20.00")]


@pytest.mark.spec("SUB-6")
async def test_change_before_the_first_invoice__bills_what_was_held(desk: Desk) -> None:
    held = await desk.take("basic")
    desk.market.clock.advance(day(4, 1, 16))
    await desk.change(held, to_plan("pro"))
    await desk.market.bill(day(4, 1, 16))

    # the day of the change belongs to the new plan, so that all 30 days do: 20.00 − 20.00 + 50.00
    assert await desk.market.lines() == [
        [("recurring", "20.00"), ("proration", "-20.00"), ("proration", "50.00")]
    ]
    await desk.market.bill(day(5, 1))
    assert await desk.totals() == [D("50.00"), D("50.00")]


@pytest.mark.spec("SUB-5", "SUB-6")
async def test_change_at_the_periods_end__begins_with_the_next_period(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))

    changed = await desk.change(held, to_plan("pro"), PERIOD_END)
    assert changed.scheduled is not None
    assert changed.scheduled.due_at == day(5, 1)
    await desk.market.bill(day(5, 1))

    assert await desk.market.lines() == [[("recurring", "20.00")], [("recurring", "50.00")]]
    now = await desk.now(held)
    assert (now.version.number, now.version.valid_from) == (2, day(5, 1))


@pytest.mark.spec("SEAT-1", "SEAT-3", "DSL-6")
async def test_seats_added_in_the_middle__cost_their_days(desk: Desk) -> None:
    held = await desk.take("team", seats=3)
    await desk.market.bill(day(4, 1))
    component = await desk.component(held)
    desk.market.clock.advance(day(4, 16))

    await desk.change(held, quantity(component, 5), proration=INVOICE_NOW)
    await desk.market.bill(day(5, 1))

    # 15 of 30 days of two seats at 10.00
    assert await desk.market.lines() == [
        [("recurring", "30.00")],
        [("proration", "10.00")],
        [("recurring", "50.00")],
    ]
    assert (await desk.texts())[1] == [
        "Seat, 1 Apr – 1 May 2026: 15 of 30 days at 30.00 + 15 of 30 days at 50.00; 30.00 billed before"
    ]


@pytest.mark.spec("SEAT-3", "DSL-6")
async def test_seats_that_are_billed_immediately__get_an_invoice_by_themselves(desk: Desk) -> None:
    await desk.sell("quick", seats("31", bill_immediately=True))
    held = await desk.take("quick", seats=1)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 30))

    await desk.change(held, quantity(await desk.component(held), 2))

    # one day of 30: 31.00 ÷ 30 = 1.0333…
    assert await desk.totals() == [D("31.00"), D("1.03")]


@pytest.mark.spec("SEAT-4")
async def test_seats_removed__go_with_the_period_and_give_nothing_back(desk: Desk) -> None:
    held = await desk.take("team", seats=5)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 10))

    await desk.change(held, quantity(await desk.component(held), 2))
    assert (await desk.now(held)).version.quantities == {await desk.component(held): D(5)}
    await desk.market.bill(day(5, 1))

    assert await desk.totals() == [D("50.00"), D("20.00")]


@pytest.mark.spec("SEAT-4")
async def test_seat_removed_and_added_on_one_day__costs_nothing(desk: Desk) -> None:
    held = await desk.take("team", seats=5)
    await desk.market.bill(day(4, 1))
    component = await desk.component(held)
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, quantity(component, 4), NOW)
    await desk.change(held, quantity(component, 5), NOW)
    await desk.market.bill(day(5, 1))

    assert await desk.totals() == [D("50.00"), D("50.00")]


@pytest.mark.spec("SUB-6", "SEAT-1")
async def test_change_without_proration__costs_nothing_in_its_period(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("pro"), proration=NONE)
    await desk.market.bill(day(5, 1))

    assert await desk.totals() == [D("20.00"), D("50.00")]


@pytest.mark.spec("SUB-6", "EVT-9")
async def test_usage_of_a_changed_plan__is_cut_at_the_instant(desk: Desk) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    await desk.sell("dear", fee("40", name="Dear"), calls(flat("2")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "3", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("dear"))
    await desk.market.use(customer, "7", day(4, 16))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))

    # 3 × 1.00 before and 7 × 2.00 after it; −5.00 and +20.00 by days; 40.00 for May
    last = (await desk.invoices())[-1]
    assert sorted((line.kind, line.amount) for line in last.lines) == [
        (LineKind.PRORATION, D("-5.00")),
        (LineKind.PRORATION, D("20.00")),
        (LineKind.RECURRING, D("40.00")),
        (LineKind.USAGE, D("3.00")),
        (LineKind.USAGE, D("14.00")),
    ]
    assert last.status is InvoiceStatus.FINALIZED
    assert len(await desk.invoices()) == 2


@pytest.mark.spec("SUB-6", "DSL-4")
async def test_leaving_a_plan_bought_at_half_price__gives_back_half_of_what_was_paid(
    desk: Desk,
) -> None:
    off = price_terms_pb2.Discount(percent="50", duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER)
    await desk.sell("half", fee("20", name="Half"), discounts=(off,))
    held = await desk.take("half")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 16))

    await desk.change(held, to_plan("pro"), proration=INVOICE_NOW)

    # 10.00 was paid: −5.00 for 15 of 30 days; 50.00 × 15 ÷ 30 = 25.00
    assert await desk.totals() == [D("10.00"), D("20.00")]


@pytest.mark.spec("SUB-6", "SUB-7")
async def test_pause_and_resumption__bill_the_days_outside_it(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 7))
    await desk.change(held, Pause(resume_at=None))
    await desk.market.bill(day(5, 1))
    assert await desk.totals() == [D("20.00")]
    desk.market.clock.advance(day(5, 11))

    await desk.change(held, Resume())
    await desk.market.bill(day(6, 1))

    # April: 6 of 30 days, 20.00 − 16.00; May: 21 of 31 days, 13.55; June: 20.00; together 17.55
    assert await desk.totals() == [D("20.00"), D("17.55")]
    assert (await desk.now(held)).version.status is Status.ACTIVE


@pytest.mark.spec("SUB-6", "SUB-5")
async def test_pause_with_an_end__resumes_by_itself(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 7))
    await desk.change(held, Pause(resume_at=day(4, 17)))
    await desk.market.bill(day(4, 17))

    assert (await desk.now(held)).version.status is Status.ACTIVE
    await desk.market.bill(day(5, 1))
    # 10 of 30 days were not held: 6.67 goes back
    assert await desk.totals() == [D("20.00"), D("13.33")]


@pytest.mark.spec("SUB-6")
async def test_end_at_once__bills_what_was_used_and_nothing_afterwards(desk: Desk) -> None:
    await desk.market.sell(calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.use(customer, "3", day(4, 1))
    desk.market.clock.advance(day(4, 10))

    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(4, 10, 17))
    await desk.market.bill(day(6, 1))

    assert await desk.market.lines() == [[("usage", "3.00")]]
    assert (await desk.now(held)).version.status is Status.CANCELED


@pytest.mark.spec("SUB-3", "INV-2")
async def test_changes_and_runs_at_once__make_one_version_and_bill_everything_once(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(5, 1))

    outcomes = await asyncio.gather(
        *(desk.change(held, to_plan("pro"), expected_version=1) for _ in range(6)),
        *(desk.market.bill(day(5, 1)) for _ in range(4)),
        return_exceptions=True,
    )
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {SubscriptionVersionMismatchError}
    assert len(refused) == 5
    # April 20.00, May and June 50.00 each, whichever was first on 1 May: the run or the change
    assert sum(await desk.totals()) == D("120.00")
