"""What the last invoice of an ended subscription gave back is the customer's, also when that invoice is void (INV-6,
SUB-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing import credit_note_store
from candela_server.billing.credit_note import CreditNote, CreditNoteReason, Purpose
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import Invoice, InvoiceStatus, LineKind
from candela_server.billing.read import get_invoice
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.subscription.change import Cancellation
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import Subscription

from tests.helpers.blocking import until_waiting
from tests.helpers.changing import NOW, Desk
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_late_usage_after_end import look

D = Decimal
BACK = D("1167.12")
"""Unused are 355 of 365 days of a year for 1200.00: 1200.00 × 355 ÷ 365."""


def day(of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, 4, of_month, hour, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" is 1200.00 a year in advance, and 1.00 a call by the month."""
    market.clock.advance(day(1))
    made = Desk(market)
    await market.sell(fee("1200", rule="FREQ=YEARLY"), calls(flat("1")))
    return made


async def end(desk: Desk, *used: str) -> tuple[Subscription, list[str]]:
    """Taken on 1 April and paid, used, and ended on 11 April, with its events' keys; the last invoice is finalized."""
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(1))
    await pay(desk, 0)
    desk.market.clock.advance(day(5))
    keys = [await desk.market.use(customer, one, day(5)) for one in used]
    desk.market.clock.advance(day(11))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(11, 17))
    return held, keys


async def pay(desk: Desk, number: int) -> None:
    one = (await desk.invoices())[number]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await mark_invoice_paid(
            tx, desk.market.clock, MarkInvoicePaid(invoice_id=one.id, paid_at=None, reference="")
        )


async def void(desk: Desk, number: int) -> Invoice:
    one = (await desk.invoices())[number]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await void_invoice(tx, desk.market.clock, one.id, reason="a mistake")


async def reissue(desk: Desk, number: int) -> Invoice:
    one = (await desk.invoices())[number]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        _, draft = await reissue_invoice(
            tx, desk.market.events, desk.market.clock, one.id, reason="anew"
        )
    return draft


async def notes(desk: Desk) -> list[CreditNote]:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return await credit_note_store.page_credit_notes(tx, invoice_id=None, limit=99, after=None)


def amounts(one: Invoice) -> list[tuple[LineKind, Decimal]]:
    return [(line.kind, line.amount) for line in one.lines]


@pytest.mark.spec("INV-6", "SUB-6")
async def test_void_last_invoice__gives_its_days_back_on_the_invoice_that_charged_for_them(
    desk: Desk,
) -> None:
    await end(desk, "1500")
    first, last = await desk.invoices()
    assert amounts(last) == [(LineKind.USAGE, D("1500.00")), (LineKind.PRORATION, -BACK)]
    assert await notes(desk) == []

    await void(desk, 1)

    [note] = await notes(desk)
    assert (note.invoice_id, note.total, note.purpose) == (first.id, BACK, Purpose.CREDIT_BALANCE)
    assert note.reason is CreditNoteReason.ORDER_CANCELLATION
    assert note.unused_days_of == first.lines[0].id
    assert await desk.market.balances() == [BACK]


@pytest.mark.spec("INV-6", "SUB-6")
async def test_void_last_invoice_and_reissue_it_later__gives_back_once(desk: Desk) -> None:
    await end(desk, "1500")
    await void(desk, 1)
    draft = await reissue(desk, 1)
    await desk.market.bill(day(11, 20))
    await look(desk.market, day(12))

    assert amounts(draft) == [(LineKind.USAGE, D("1500.00"))]
    assert [note.total for note in await notes(desk)] == [BACK]
    # The account pays what the invoice asked for less before.
    assert (await desk.invoices())[2].amount_due == D("1500.00") - BACK
    assert await desk.market.balances() == [D(0)]


@pytest.mark.spec("INV-6", "SUB-6")
async def test_reissue_last_invoice__bears_what_it_gave_back_itself(desk: Desk) -> None:
    await end(desk, "1500")
    draft = await reissue(desk, 1)
    await desk.market.bill(day(11, 20))

    assert amounts(draft) == [(LineKind.USAGE, D("1500.00")), (LineKind.PRORATION, -BACK)]
    assert await notes(desk) == []


@pytest.mark.spec("INV-6", "SUB-6")
async def test_void_reissued_invoice__gives_back_what_neither_of_them_does_any_more(
    desk: Desk,
) -> None:
    await end(desk, "1500")
    await reissue(desk, 1)
    await desk.market.bill(day(11, 20))
    await void(desk, 2)

    assert [note.total for note in await notes(desk)] == [BACK]
    assert [one.status for one in await desk.invoices()] == [
        InvoiceStatus.PAID,
        InvoiceStatus.VOID,
        InvoiceStatus.VOID,
    ]


@pytest.mark.spec("INV-6", "SUB-6", "EVT-9")
async def test_last_invoice_bears_a_part__the_rest_and_usage_it_paid_for_come_back_on_the_first(
    desk: Desk,
) -> None:
    """As docs/giving-back.md says it: of 1,167.12 the last invoice bears 1,000.00, and 400 calls are voided later."""
    _, [_, key] = await end(desk, "600", "400")
    first, last = await desk.invoices()
    at_first = await notes(desk)
    await desk.market.take_back(key)
    await look(desk.market, day(12))

    assert last.status is InvoiceStatus.PAID
    assert amounts(last) == [(LineKind.USAGE, D("1000.00")), (LineKind.PRORATION, D("-1000.00"))]
    assert [(note.invoice_id, note.total) for note in at_first] == [(first.id, D("167.12"))]
    assert [(note.invoice_id, note.total) for note in await notes(desk)] == [
        (first.id, D("167.12")),
        (first.id, D("400.00")),
    ]


@pytest.mark.spec("INV-6", "SUB-7")
@pytest.mark.parametrize("act", [void, reissue])
async def test_invoice_whose_subscription_is_held__is_voided_after_waiting_without_holding_the_invoice(
    desk: Desk, act: Callable[[Desk, int], Awaitable[object]]
) -> None:
    held, _ = await end(desk, "1500")
    _, last = await desk.invoices()
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await hold(tx, held.id)
        acting = asyncio.ensure_future(act(desk, 1))
        await until_waiting(desk.market.db.url, await tx.fetchval("SELECT pg_backend_pid()"))
        locked = await get_invoice(tx, last.id, lock=True)
        assert not acting.done()
    await acting

    assert locked.status is InvoiceStatus.FINALIZED
    assert (await desk.invoices())[1].status is InvoiceStatus.VOID
