"""Events that come after their period's invoice was finalized: once, on the next invoice (EVT-9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2, plan_service_pb2, price_terms_pb2

from candela_server.billing.finalize_invoices import finalize_invoice
from candela_server.billing.model import LineKind
from candela_server.billing.run_billing import run_billing
from candela_server.customer.model import Customer
from candela_server.kernel.interval import Interval
from candela_server.metering.note_late_usage import customers_to_look_at, forget_late_usage

from tests.helpers.market import Market, calls, fee, flat, graduated, money

D = Decimal
JANUARY, FEBRUARY, MARCH, APRIL = (
    datetime(2026, month, day, 15, tzinfo=UTC)
    for month, day in ((1, 31), (2, 28), (3, 31), (4, 30))
)
GRACE = timedelta(hours=2)
IN_FEBRUARY = datetime(2026, 2, 10, 12, tzinfo=UTC)
IN_MARCH = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def close_february(market: Market, customer: Customer, used: str) -> None:
    """February's usage happens in time and is billed for good."""
    market.clock.advance(IN_FEBRUARY)
    await market.use(customer, used, IN_FEBRUARY)
    await market.bill(FEBRUARY)
    await market.bill(FEBRUARY + GRACE)


@pytest.mark.spec("EVT-9", "INV-8")
async def test_late_event_after_finalization__is_on_the_next_invoice_once_at_the_old_periods_tiers(
    market: Market,
) -> None:
    await market.sell(calls(graduated()))
    customer = await market.subscribe()
    await close_february(market, customer, "900")

    market.clock.advance(IN_MARCH)
    await market.use(customer, "200", FEBRUARY - timedelta(milliseconds=1))
    for now in (MARCH, MARCH + GRACE, APRIL, APRIL + GRACE):
        await market.bill(now)

    # 100 fill tier one at 0.10, 100 fall into tier two at 0.05
    assert await market.lines() == [
        [("usage", "90.00")],
        [("usage", "0.00"), ("adjustment", "15.00")],
        [("usage", "0.00")],
    ]
    line = (await market.invoices())[1].lines[1]
    assert line.description == "Late usage: Calls × 200, 31 Jan – 28 Feb 2026"
    assert (line.quantity, line.period) == (D(200), Interval(JANUARY, FEBRUARY))
    assert line.source_line_id == (await market.invoices())[0].lines[0].id


@pytest.mark.spec("EVT-9")
async def test_event_exactly_at_the_periods_end__belongs_to_the_new_period(market: Market) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()
    await close_february(market, customer, "10")

    market.clock.advance(IN_MARCH)
    await market.use(customer, "5", FEBRUARY)
    await market.bill(MARCH)

    assert await market.lines() == [[("usage", "10.00")], [("usage", "5.00")]]


@pytest.mark.spec("EVT-9", "INV-2")
async def test_ten_runs_at_once_after_a_late_event__adjust_once(market: Market) -> None:
    await market.sell(fee("5"), calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(JANUARY)
    await close_february(market, customer, "10")
    market.clock.advance(IN_MARCH)
    await market.use(customer, "7", IN_FEBRUARY)
    market.clock.advance(MARCH)

    await asyncio.gather(
        *[run_billing(market.db, market.events, market.merchant_id, now=MARCH) for _ in range(10)]
    )

    assert (await market.lines())[2:] == [
        [("usage", "0.00"), ("recurring", "5.00"), ("adjustment", "7.00")]
    ]


@pytest.mark.spec("EVT-9", "INV-3")
async def test_late_event_while_the_next_invoice_is_a_draft__is_on_the_one_after_it(
    market: Market,
) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()
    await close_february(market, customer, "10")
    market.clock.advance(IN_MARCH)
    await market.use(customer, "7", IN_FEBRUARY)
    await market.bill(MARCH)
    await market.use(customer, "3", MARCH - timedelta(days=20))  # March's own, in time
    await market.use(customer, "4", FEBRUARY - timedelta(hours=1))  # February's, once more
    for now in (MARCH + GRACE, APRIL, APRIL + GRACE):
        await market.bill(now)

    assert await market.lines() == [
        [("usage", "10.00")],
        [("usage", "3.00"), ("adjustment", "7.00")],
        [("usage", "0.00"), ("adjustment", "4.00")],
    ]


@pytest.mark.spec("EVT-9", "CRD-5")
async def test_late_event__draws_what_was_unspent_when_its_period_ended(market: Market) -> None:
    await market.sell(
        calls(flat("1")),
        request=plan_service_pb2.CreatePlanRequest(
            credit_definitions=[
                credit_definition_pb2.NewCreditDefinition(
                    name="Included calls",
                    scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                    application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                    feature="calls",
                    default_amount="100",
                    refill_amount="100",
                    renew_on_billing=True,
                    billing_visible=True,
                )
            ]
        ),
    )
    customer = await market.subscribe()
    await close_february(market, customer, "80")
    lapsed = await market.balances()

    market.clock.advance(IN_MARCH)
    await market.use(customer, "50", IN_FEBRUARY)
    for now in (MARCH, MARCH + GRACE):
        await market.bill(now)

    # 80 and 50 are 130; 100 were included, of which 20 were left when February ended: 30 × 1.00
    assert (await market.lines())[1] == [("usage", "0.00"), ("adjustment", "30.00")]
    assert [(one.amount) for one in (await market.invoices())[1].lines[1].draws] == [D(20)]
    assert lapsed[0] == 0
    assert await market.balances() == [D(0), D(0), D(100)]  # March's lapsed, too; April's is whole


@pytest.mark.spec("EVT-9", "EVT-4", "INV-8")
async def test_usage_taken_back__is_given_back_as_far_as_invoices_bear_it_and_the_rest_later(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(JANUARY)
    market.clock.advance(IN_FEBRUARY)
    mistaken = await market.use(customer, "35", IN_FEBRUARY)
    await close_february(market, customer, "5")
    market.clock.advance(IN_MARCH)
    await market.take_back(mistaken)

    for now in (MARCH, MARCH + GRACE, APRIL, APRIL + GRACE, datetime(2026, 5, 31, 15, tzinfo=UTC)):
        await market.bill(now)

    # 35.00 are owed back: 15.00, 15.00 and 5.00
    assert (await market.lines())[2:] == [
        [("usage", "0.00"), ("recurring", "15.00"), ("adjustment", "-15.00")],
        [("usage", "0.00"), ("recurring", "15.00"), ("adjustment", "-15.00")],
        [("usage", "0.00"), ("recurring", "15.00"), ("adjustment", "-5.00")],
    ]
    assert all(one.total >= 0 for one in await market.invoices())


@pytest.mark.spec("EVT-9", "DSL-10")
async def test_late_usage_that_fills_a_commitment__is_not_charged_besides_its_true_up(
    market: Market,
) -> None:
    await market.sell(
        calls(flat("1")),
        commitment=price_terms_pb2.MinimumCommitment(
            amount=money("100"), recurrence_rule="FREQ=MONTHLY"
        ),
    )
    customer = await market.subscribe()
    await close_february(market, customer, "80")
    market.clock.advance(IN_MARCH)
    await market.use(customer, "50", IN_FEBRUARY)

    for now in (MARCH, MARCH + GRACE, APRIL):
        await market.bill(now)

    # February cost 80 and 20 true-up; it costs 130 now: 50 more usage, 20 less true-up
    assert await market.lines() == [
        [("usage", "80.00"), ("true_up", "20.00")],
        [
            ("usage", "0.00"),
            ("true_up", "100.00"),
            ("adjustment", "50.00"),
            ("adjustment", "-20.00"),
        ],
        [("usage", "0.00"), ("true_up", "100.00")],
    ]


@pytest.mark.spec("EVT-9")
async def test_events_in_time__are_not_noted_and_late_ones_are_until_nobody_asks(
    market: Market,
) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()

    market.clock.advance(IN_FEBRUARY)
    await market.use(customer, "1", IN_FEBRUARY - timedelta(minutes=9))
    in_time = await noted(market, customer)
    await market.use(customer, "1", IN_FEBRUARY - timedelta(days=1))
    await market.use(customer, "1", IN_FEBRUARY - timedelta(days=1))
    late = await noted(market, customer)
    await forget_late_usage(market.events, IN_FEBRUARY + timedelta(days=501))

    assert (in_time, late) == (False, True)
    assert not await noted(market, customer)


async def noted(market: Market, customer: Customer) -> bool:
    async with market.db.reading(market.merchant_id) as tx:
        return customer.id in await customers_to_look_at(tx, [customer.id])


@pytest.mark.spec("EVT-9", "INV-3")
async def test_event_a_minute_after_an_invoice_was_finalized_at_once__is_not_lost(
    market: Market,
) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(FEBRUARY)
    [draft] = await market.invoices()
    async with market.db.writing(market.merchant_id) as tx:
        await finalize_invoice(tx, market.events, draft.id, now=FEBRUARY)
    market.clock.advance(FEBRUARY + timedelta(minutes=1))
    await market.use(customer, "3", FEBRUARY - timedelta(seconds=1))

    assert not await noted(market, customer)  # it was no minute late
    await market.bill(MARCH)

    assert await market.lines() == [
        [("usage", "0.00")],
        [("usage", "0.00"), ("adjustment", "3.00")],
    ]


@pytest.mark.spec("EVT-9", "INV-1")
async def test_two_subscriptions_of_one_customer__are_each_adjusted(market: Market) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()
    await market.hold(customer)
    await close_february(market, customer, "10")
    market.clock.advance(IN_MARCH)
    await market.use(customer, "5", IN_FEBRUARY)

    await market.bill(MARCH)

    adjusted = [
        [line.amount for line in one.lines if line.kind is LineKind.ADJUSTMENT]
        for one in (await market.invoices())[2:]
    ]
    assert adjusted == [[D("5.00")], [D("5.00")]]
