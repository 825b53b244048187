"""An invoice that is not paid in time makes its subscription past due, until it is settled (ENT-10, SUB-7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.follow_due_dates import follow_due_dates
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.void_invoice import void_invoice
from candela_server.entitlement.model import Denial
from candela_server.subscription.change import Pause
from candela_server.subscription.model import Status, Subscription

from tests.helpers.acting import acting_as
from tests.helpers.changing import NOW, Desk, quantity
from tests.helpers.included_calls import bringing, calls_of, day
from tests.helpers.market import Market, calls, flat
from tests.integration.billing.test_changed_subscriptions import seats

GRACE = timedelta(days=7)
DUE = day(4, 1) + timedelta(days=30)
"""By the terms of payment that a merchant has at first."""


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "team" is 10.00 a seat with 100 calls a month, paid within 30 days."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(calls(flat("1")))
    await made.sell("team", seats("10"), request=bringing("100"))
    return made


async def owing(desk: Desk) -> Subscription:
    """Holds the plan and is billed for April."""
    held = await desk.take("team", seats=2)
    await desk.market.bill(day(4, 1))
    return held


async def follow(desk: Desk, now: datetime) -> int:
    desk.market.clock.advance(now)
    return await follow_due_dates(desk.market.db, desk.market.merchant_id, now=now)


async def pay(desk: Desk, invoice: Invoice) -> None:
    command = MarkInvoicePaid(invoice_id=invoice.id, paid_at=None, reference="bank")
    with acting_as(desk.market.merchant_id):
        async with desk.market.db.writing(desk.market.merchant_id) as tx:
            await mark_invoice_paid(tx, desk.market.clock, command)


async def status(desk: Desk, held: Subscription) -> Status:
    return (await desk.now(held)).version.status


@pytest.mark.spec("ENT-10", "SUB-7")
async def test_unpaid_invoice__is_past_due_from_its_due_date_and_blocked_after_the_grace(
    desk: Desk,
) -> None:
    held = await owing(desk)
    before = await follow(desk, DUE - timedelta(microseconds=1))
    # Noticed late: the grace is counted from the due date.
    found = await follow(desk, DUE + timedelta(days=2))
    again = await follow(desk, DUE + timedelta(days=2))
    during = await calls_of(desk, held.customer_id)
    desk.market.clock.advance(DUE + GRACE)
    after = await calls_of(desk, held.customer_id)

    assert (before, found, again) == (0, 1, 0)
    assert await status(desk, held) is Status.PAST_DUE
    assert (during.denial, during.valid_until) == (None, DUE + GRACE)
    assert after.denial is Denial.SUBSCRIPTION_PAST_DUE
    assert (await desk.now(held)).version.valid_from == DUE


@pytest.mark.spec("ENT-10", "SUB-7", "INV-7")
async def test_payment_of_all_that_is_overdue__gives_access_back_at_once(desk: Desk) -> None:
    held = await owing(desk)
    await desk.market.bill(day(5, 1))
    await follow(desk, day(6, 20))
    first, second = await desk.invoices()
    blocked = (await calls_of(desk, held.customer_id)).denial
    await pay(desk, first)
    half = await status(desk, held)
    await pay(desk, second)

    assert blocked is Denial.SUBSCRIPTION_PAST_DUE
    assert half is Status.PAST_DUE
    assert await status(desk, held) is Status.ACTIVE
    assert (await calls_of(desk, held.customer_id)).denial is None
    assert await follow(desk, day(6, 21)) == 0


@pytest.mark.spec("ENT-10", "INV-7")
async def test_void_invoice__is_owed_by_nobody(desk: Desk) -> None:
    held = await owing(desk)
    await follow(desk, DUE)
    [invoice] = await desk.invoices()
    with acting_as(desk.market.merchant_id):
        async with desk.market.db.writing(desk.market.merchant_id) as tx:
            await void_invoice(tx, desk.market.clock, invoice.id, reason="a mistake")

    assert await status(desk, held) is Status.ACTIVE


@pytest.mark.spec("ENT-10", "SUB-6")
async def test_change_while_past_due__begins_no_new_grace_and_bills_as_ever(desk: Desk) -> None:
    held = await owing(desk)
    await follow(desk, DUE)
    desk.market.clock.advance(DUE + timedelta(days=6))
    await desk.change(held, quantity(await desk.component(held), 3), NOW)
    during = await calls_of(desk, held.customer_id)
    desk.market.clock.advance(DUE + GRACE)

    assert await status(desk, held) is Status.PAST_DUE
    assert (during.denial, during.valid_until) == (None, DUE + GRACE)
    assert (await calls_of(desk, held.customer_id)).denial is Denial.SUBSCRIPTION_PAST_DUE


@pytest.mark.spec("ENT-10", "INV-2")
async def test_periods_around_it__are_billed_once_and_whole(desk: Desk) -> None:
    held = await owing(desk)
    await follow(desk, DUE)
    for month in (5, 6):
        await desk.market.bill(day(month, 1))
    for invoice in await desk.invoices():
        await pay(desk, invoice)
    await desk.market.bill(day(7, 1))

    assert await status(desk, held) is Status.ACTIVE
    assert await desk.totals() == [Decimal("20.00")] * 4
    assert [one.status for one in await desk.invoices()] == [
        InvoiceStatus.PAID,
        InvoiceStatus.PAID,
        InvoiceStatus.PAID,
        InvoiceStatus.FINALIZED,
    ]


@pytest.mark.spec("ENT-10", "SUB-7")
async def test_paused_subscription__stays_paused_though_it_owes(desk: Desk) -> None:
    held = await owing(desk)
    await desk.change(held, Pause(resume_at=None), NOW)

    assert await follow(desk, DUE) == 0
    assert await status(desk, held) is Status.PAUSED
