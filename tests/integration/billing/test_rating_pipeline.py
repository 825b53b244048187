"""Each kind of price through real runs: discounts, time rules, commitments, percentages (DSL-3, DSL-4, DSL-10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.billing.v1 import invoice_line_pb2
from candela.catalog.v1 import price_pb2, price_terms_pb2

from candela_server.billing.model import InvoiceStatus, LineKind
from candela_server.billing.wire import invoice_to_proto

from tests.helpers.market import SEATS, Market, calls, fee, flat, money

D = Decimal
# 15:00 on the last days of the months: the subscription begins on 31 January
JANUARY, FEBRUARY, MARCH, APRIL, MAY = (
    datetime(2026, month, day, 15, tzinfo=UTC)
    for month, day in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31))
)


def percent_off(percent: str, periods: int | None = None) -> price_terms_pb2.Discount:
    if periods is None:
        return price_terms_pb2.Discount(
            percent=percent, duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
        )
    return price_terms_pb2.Discount(
        percent=percent,
        duration=price_terms_pb2.DISCOUNT_DURATION_REPEATING,
        period_count=periods,
        name="Launch offer",
    )


@pytest.mark.spec("DSL-4", "INV-8")
async def test_discount_for_two_periods__is_on_the_first_two_invoices(market: Market) -> None:
    component = fee("30")
    component.discounts.append(percent_off("50", 2))
    await market.sell(component)
    await market.subscribe()

    for month in (JANUARY, FEBRUARY, MARCH):
        await market.bill(month)

    got = await market.invoices()
    assert [one.total for one in got] == [D("15.00"), D("15.00"), D("30.00")]
    [line] = got[0].lines
    assert line.rated_amount == D(30)
    assert line.description == "Fee, 31 Jan – 28 Feb 2026; Launch offer 50 %: −15.00"
    assert [(one.name, one.percent, one.amount) for one in line.discounts] == [
        ("Launch offer", D(50), D("15.00"))
    ]


@pytest.mark.spec("DSL-4")
async def test_discounts_of_component_and_price__follow_on_one_another(market: Market) -> None:
    component = fee("100")
    component.discounts.append(percent_off("10"))
    off = price_terms_pb2.Discount(
        amount_off=money("15"), duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
    )
    await market.sell(component, fee("20", name="Support"), discounts=[off, percent_off("50")])
    await market.subscribe()

    await market.bill(JANUARY)

    [got] = await market.invoices()
    # 100 − 10 % = 90; 15 off 90 and 20 is 12.27 and 2.73; half of 77.73 and of 17.27
    assert [line.amount for line in got.lines] == [D("38.87"), D("8.64")]
    assert got.total == D("47.51")


@pytest.mark.spec("DSL-4")
async def test_amount_off_a_month__is_shared_by_seats_before_and_usage_after_it(
    market: Market,
) -> None:
    seats = price_pb2.PriceComponent(
        name="Seat", kind=SEATS, recurrence_rule="FREQ=MONTHLY", charge=flat("15")
    )
    off = price_terms_pb2.Discount(
        amount_off=money("20"), duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
    )
    await market.sell(seats, calls(flat("1")), discounts=[off])
    customer = await market.subscribe(seats=1)

    await market.bill(JANUARY)
    market.clock.advance(datetime(2026, 2, 10, tzinfo=UTC))
    await market.use(customer, "30", datetime(2026, 2, 10, tzinfo=UTC))
    await market.bill(FEBRUARY)
    await market.bill(datetime(2026, 2, 28, 17, tzinfo=UTC))

    # February's 20.00: 15.00 off its seat, 5.00 off its 30 calls; March's takes its seat's 15.00.
    assert await market.lines() == [
        [("recurring", "0.00")],
        [("usage", "25.00"), ("recurring", "0.00")],
    ]
    assert (await market.invoices())[1].status is InvoiceStatus.FINALIZED


@pytest.mark.spec("DSL-4")
async def test_ramp_and_end__are_told_from_the_periods_number(market: Market) -> None:
    component = fee("10")
    component.time_rules.extend(
        [
            price_terms_pb2.TimeRule(after_period_count=1, charge=flat("20")),
            price_terms_pb2.TimeRule(after_period_count=2, stop=True),
        ]
    )
    await market.sell(component)
    await market.subscribe()

    made = [await market.bill(month) for month in (JANUARY, FEBRUARY, MARCH, APRIL)]

    assert made == [1, 1, 0, 0]  # where nothing is charged there is no invoice
    assert [one.total for one in await market.invoices()] == [D("10.00"), D("20.00")]


@pytest.mark.spec("DSL-10")
async def test_commitment__is_made_up_for_on_the_invoice_that_ends_its_period(
    market: Market,
) -> None:
    commitment = price_terms_pb2.MinimumCommitment(
        amount=money("100"), recurrence_rule="FREQ=MONTHLY"
    )
    await market.sell(fee("60"), calls(flat("1")), commitment=commitment)
    customer = await market.subscribe()
    await market.bill(JANUARY)
    market.clock.advance(datetime(2026, 2, 10, tzinfo=UTC))
    await market.use(customer, "25", datetime(2026, 2, 10, tzinfo=UTC))

    await market.bill(FEBRUARY)
    # More usage arrives while the invoice is a draft: less is missing when it is rated again.
    await market.use(customer, "10", datetime(2026, 2, 20, tzinfo=UTC))
    draft = await market.lines()
    await market.bill(datetime(2026, 2, 28, 17, tzinfo=UTC))

    # 100 − 60 − 25 = 15, then 100 − 60 − 35 = 5
    assert draft[1] == [("usage", "25.00"), ("recurring", "60.00"), ("true_up", "15.00")]
    assert (await market.lines())[1] == [
        ("usage", "35.00"),
        ("recurring", "60.00"),
        ("true_up", "5.00"),
    ]
    line = (await market.invoices())[1].lines[2]
    assert line.component_id is None
    assert line.description == (
        "Up to the minimum of 100.00 after charges of 95.00, 31 Jan – 28 Feb 2026"
    )


@pytest.mark.spec("DSL-3")
async def test_percentage_with_a_fee_per_event__counts_events_and_amounts(market: Market) -> None:
    charge = price_terms_pb2.ChargeModel(
        percentage=price_terms_pb2.PercentageCharge(percent="2.9", fee_per_event=money("0.30"))
    )
    await market.sell(calls(charge))
    customer = await market.subscribe()
    at = datetime(2026, 2, 10, tzinfo=UTC)
    market.clock.advance(at)
    for amount in ("600", "399.5", "0.5"):
        await market.use(customer, amount, at)

    await market.bill(FEBRUARY)

    [got] = await market.invoices()
    # 2.9 % of 1,000.00 = 29.00; 3 × 0.30 = 0.90
    assert [(line.amount, line.event_count) for line in got.lines] == [(D("29.90"), D(3))]


@pytest.mark.spec("DSL-3", "INV-1")
async def test_tiers__are_shown_part_by_part_on_the_wire(market: Market) -> None:
    charge = price_terms_pb2.ChargeModel(
        graduated=price_terms_pb2.GraduatedCharge(
            tiers=[
                price_terms_pb2.Tier(up_to="1000", unit_price=money("0.10")),
                price_terms_pb2.Tier(unit_price=money("0.05"), flat_fee=money("2")),
            ]
        )
    )
    await market.sell(calls(charge))
    customer = await market.subscribe()
    at = datetime(2026, 2, 10, tzinfo=UTC)
    market.clock.advance(at)
    await market.use(customer, "1500", at)

    await market.bill(FEBRUARY)

    [got] = await market.invoices()
    [line] = invoice_to_proto(got).lines
    assert D(line.amount.amount) == D("127.00")  # 1,000 × 0.10 + 500 × 0.05 + 2.00
    assert list(line.parts) == [
        invoice_line_pb2.RatedPart(
            quantity="1000", unit_amount="0.1", flat_fee="0", up_to="1000", amount="100"
        ),
        invoice_line_pb2.RatedPart(quantity="500", unit_amount="0.05", flat_fee="2", amount="27"),
    ]
    assert got.lines[0].kind is LineKind.USAGE


@pytest.mark.spec("DSL-2", "INV-8")
async def test_first_period_that_is_short__costs_its_days_and_the_next_the_whole(
    market: Market,
) -> None:
    await market.sell(fee("28", rule="FREQ=MONTHLY;BYMONTHDAY=28"))
    await market.subscribe()  # on 31 January: 28 of the 31 days from 28 January to 28 February

    await market.bill(JANUARY)
    await market.bill(FEBRUARY)

    assert [one.total for one in await market.invoices()] == [D("25.29"), D("28.00")]


@pytest.mark.spec("INV-2", "DSL-4", "DSL-10")
async def test_run_again__writes_nothing(market: Market) -> None:
    commitment = price_terms_pb2.MinimumCommitment(
        amount=money("100"), recurrence_rule="FREQ=MONTHLY"
    )
    await market.sell(
        fee("60"), calls(flat("1")), commitment=commitment, discounts=[percent_off("10")]
    )
    await market.subscribe()
    for now in (JANUARY, FEBRUARY, datetime(2026, 2, 28, 17, tzinfo=UTC)):
        await market.bill(now)
    before = await market.invoices()

    assert await market.bill(datetime(2026, 2, 28, 17, tzinfo=UTC)) == 0
    assert await market.invoices() == before


@pytest.mark.spec("DSL-3", "INV-1")
async def test_calculation__is_kept_with_the_line_and_shown_on_the_wire(market: Market) -> None:
    charge = price_terms_pb2.ChargeModel(
        percentage=price_terms_pb2.PercentageCharge(percent="2.9", fee_per_event=money("0.30")),
        free_units="100",
        minimum=money("40"),
    )
    await market.sell(calls(charge))
    customer = await market.subscribe()
    at = datetime(2026, 2, 10, tzinfo=UTC)
    market.clock.advance(at)
    for amount in ("600", "500"):
        await market.use(customer, amount, at)

    await market.bill(FEBRUARY)

    [got] = await market.invoices()
    [line] = invoice_to_proto(got).lines
    # 2.9 % of 1,000 = 29.00 and 2 × 0.30 = 0.60, less than the 40.00 of all 28 days
    assert line.calculation == invoice_line_pb2.LineCalculation(
        measured_quantity="1100",
        earlier_quantity="0",
        covered_quantity="0",
        free_units="100",
        charged_quantity="1000",
        percent="2.9",
        fee_per_event="0.3",
        event_count="2",
        model_amount="29.6",
        minimum="40",
        bound_amount="40",
        days=28,
        whole_days=28,
        earlier_amount="0",
        billed_amount="0",
        left_amount="0",
    )
    assert D(line.amount.amount) == D("40.00")
