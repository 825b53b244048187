"""Usage that reaches its price's billing threshold is invoiced before its period ends, never twice (INV-1, INV-2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2, plan_service_pb2, price_terms_pb2

from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.model import (
    InvoiceStatus,
)
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.rules.line_workings import workings_of
from candela_server.billing.run_billing import run_billing
from candela_server.catalog import read as catalog
from candela_server.worker.merchant_jobs import bill_at_thresholds

from tests.helpers.changing import NOW, Desk, swap
from tests.helpers.market import Market, calls, fee, flat, graduated, money
from tests.helpers.thresholds import (
    FEBRUARY,
    GRACE,
    MARCH,
    billed_ahead,
    close,
    day,
    look,
    subscribe,
    use,
)

D = Decimal


def included(amount: str) -> plan_service_pb2.CreatePlanRequest:
    """A plan that includes so many calls each period."""
    return plan_service_pb2.CreatePlanRequest(
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name="Included calls",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                feature="calls",
                default_amount=amount,
                refill_amount=amount,
                renew_on_billing=True,
                billing_visible=True,
            )
        ]
    )


@pytest.mark.spec("INV-1", "INV-2")
async def test_usage_reaches_the_threshold__is_invoiced_at_once_and_the_period_bills_the_rest(
    market: Market,
) -> None:
    customer = await subscribe(market, calls(graduated()))

    await use(market, customer, "499", day(3))
    assert await look(market, day(3)) == 0  # 49.90
    await use(market, customer, "101", day(5))
    assert await look(market, day(5)) == 1  # 60.00
    assert await look(market, day(6)) == 0
    await use(market, customer, "1000", day(20))
    assert await look(market, day(20)) == 1  # 1000 × 0.10 + 600 × 0.05 = 130.00, less 60.00
    await use(market, customer, "100", day(25))
    assert await look(market, day(25)) == 0  # 5.00 more
    await close(market, FEBRUARY, MARCH)

    assert await market.lines() == [
        [("threshold", "60.00")],
        [("threshold", "130.00"), ("threshold", "-60.00")],
        [("usage", "135.00"), ("threshold", "-130.00")],
        [("usage", "0.00")],
    ]
    first, second, regular, _ = await market.invoices()
    assert [one.total for one in (first, second, regular)] == [D(60), D(70), D(5)]
    assert first.status is InvoiceStatus.FINALIZED
    assert first.number is not None
    assert [line.description for line in second.lines] == [
        "So far: Calls × 1,600, 31 Jan – 28 Feb 2026",
        "Billed already: Calls, 31 Jan – 28 Feb 2026",
    ]
    assert [part.quantity for part in second.lines[0].parts] == [D(1000), D(600)]
    assert second.lines[0].used_during is not None
    assert second.lines[0].used_during.end_at == day(20)


@pytest.mark.spec("INV-2")
async def test_ten_looks_at_once__make_one_invoice(market: Market) -> None:
    customer = await subscribe(market)
    await use(market, customer, "80", day(5))

    made = await asyncio.gather(*[look(market, day(5)) for _ in range(10)])

    assert sum(made) == 1
    assert await market.lines() == [[("threshold", "80.00")]]


@pytest.mark.spec("INV-2")
async def test_looks_that_are_cut_off_anywhere__leave_all_of_it_or_nothing(market: Market) -> None:
    await market.sell(calls(flat("1")), threshold=money("50"))
    customers = [await market.subscribe() for _ in range(6)]
    for customer in customers:
        await use(market, customer, "80", day(5))
    for milliseconds in range(1, 60, 3):
        # The connection is closed in the middle of what it does, as by a kill.
        with suppress(TimeoutError):
            async with asyncio.timeout(milliseconds / 1000):
                await look(market, day(5))

    await look(market, day(5))
    ahead = await market.lines()
    await close(market, FEBRUARY)

    assert ahead == [[("threshold", "80.00")]] * 6
    assert (await market.lines())[6:] == [[("usage", "80.00"), ("threshold", "-80.00")]] * 6


@pytest.mark.spec("INV-2")
async def test_looks_and_the_periods_run_at_once__bill_it_once(market: Market) -> None:
    await market.sell(calls(flat("1")), threshold=money("50"))
    for _ in range(5):
        await use(market, await market.subscribe(), "80", day(5))
    market.clock.advance(FEBRUARY)

    async def run() -> None:
        await run_billing(market.db, market.events, market.merchant_id, now=FEBRUARY)

    async def look_before() -> None:
        now = FEBRUARY - timedelta(seconds=1)
        await bill_thresholds(market.db, market.events, market.merchant_id, now=now)

    await asyncio.gather(*[one() for _ in range(4) for one in (look_before, run)])
    await run()
    await market.bill(FEBRUARY + GRACE)

    assert sum(one.total for one in await market.invoices()) == D(400)


@pytest.mark.spec("INV-1")
async def test_workers_minute__finds_every_merchant_with_a_threshold(market: Market) -> None:
    customer = await subscribe(market)
    await use(market, customer, "80", day(5))

    await bill_at_thresholds(market.db, market.events, market.clock)
    await bill_at_thresholds(market.db, market.events, market.clock)

    assert await market.lines() == [[("threshold", "80.00")]]


@pytest.mark.spec("SUB-6")
async def test_component_swapped_in_the_period__keeps_the_threshold_and_what_was_billed_ahead(
    market: Market,
) -> None:
    desk = Desk(market)
    customer, held, _ = await billed_ahead(market, "60")
    market.clock.advance(day(10))
    async with market.db.reading(market.merchant_id) as tx:
        price = (await catalog.get_prices(tx, [held.version.price_id]))[held.version.price_id]
    await desk.change(held, swap(price.components[0].id, calls(flat("2"))), NOW)
    await use(market, customer, "30", day(12))
    assert await look(market, day(12)) == 1
    await use(market, customer, "1", day(13))
    await close(market, day(14), FEBRUARY)

    billed = [one.total for one in await market.invoices()]
    assert sum(billed) == D(60) + D(62)


@pytest.mark.spec("INV-5")
async def test_preview_after_a_threshold_invoice__shows_the_rest(market: Market) -> None:
    customer = await subscribe(market, fee("10"), calls(flat("1")))
    await market.bill(datetime(2026, 1, 31, 15, tzinfo=UTC))
    await use(market, customer, "80", day(5))
    await look(market, day(5))
    await use(market, customer, "7", day(6))
    market.clock.advance(day(6))
    held = (await market.invoices())[0].of_subscription

    async with market.db.reading(market.merchant_id) as tx:
        shown = await preview_next_invoice(tx, market.events, market.clock, held)

    assert shown is not None
    assert sorted((line.kind.value, line.amount) for line in shown.lines) == [
        ("recurring", D(10)),
        ("threshold", D(-80)),
        ("usage", D(87)),
    ]
    await close(market, FEBRUARY)
    assert (await market.invoices())[-1].total == shown.total == D(17)


@pytest.mark.spec("CRD-5", "CRD-7")
async def test_included_credits__are_drawn_once_by_the_periods_invoice(market: Market) -> None:
    await market.sell(calls(flat("1")), threshold=money("50"), request=included("100"))
    customer = await market.subscribe()
    await use(market, customer, "120", day(5))
    assert await look(market, day(5)) == 0  # 20 beyond what is included
    await use(market, customer, "40", day(6))
    assert await look(market, day(6)) == 1
    assert await market.balances() == [D(100)]
    await use(market, customer, "10", day(7))
    await close(market, FEBRUARY)

    assert await market.lines() == [
        [("threshold", "160.00"), ("threshold", "-100.00")],
        [("usage", "170.00"), ("usage_credit", "-100.00"), ("threshold", "-60.00")],
    ]
    assert [one.total for one in await market.invoices()] == [D(60), D(10)]
    assert await market.balances() == [D(0), D(100)]
    ahead = (await market.invoices())[0]
    for line, texts in zip(ahead.lines, [[], []], strict=True):
        assert workings_of(line, "USD") == texts


@pytest.mark.spec("DSL-4", "DSL-10")
async def test_minimum_discount_and_commitment__count_as_without_a_threshold(
    market: Market,
) -> None:
    charge = flat("1")
    charge.minimum.CopyFrom(money("70"))
    await market.sell(
        calls(charge),
        discounts=[
            price_terms_pb2.Discount(
                name="Ten off",
                amount_off=money("10"),
                duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER,
            )
        ],
        commitment=price_terms_pb2.MinimumCommitment(
            amount=money("200"), recurrence_rule="FREQ=MONTHLY"
        ),
        threshold=money("40"),
    )
    customer = await market.subscribe()
    await use(market, customer, "30", day(3))
    assert await look(market, day(3)) == 0  # 30 − 10: its minimum is not owed yet
    await use(market, customer, "30", day(5))
    assert await look(market, day(5)) == 1  # 60 − 10
    await close(market, FEBRUARY)

    assert await market.lines() == [
        [("threshold", "50.00")],
        [("usage", "60.00"), ("true_up", "140.00"), ("threshold", "-50.00")],
    ]


@pytest.mark.spec("CAT-4")
async def test_no_threshold__bills_at_the_end_alone(market: Market) -> None:
    await market.sell(calls(flat("1")))
    customer = await market.subscribe()
    await use(market, customer, "1000", day(5))

    assert await look(market, day(5)) == 0
    assert await market.lines() == []
