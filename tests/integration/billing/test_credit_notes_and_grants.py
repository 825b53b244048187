"""A credit note takes back money and leaves grants alone; voids and adjustments give credits back (INV-6, CRD-10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing.credit_note import Purpose
from candela_server.billing.model import Invoice, LineKind
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import Customer

from tests.helpers.billing import Books
from tests.helpers.crediting import adjust, give, grant_now, history_of

D = Decimal
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)


async def billed(books: Books) -> tuple[Customer, CreditGrant, Invoice]:
    """A gift of 30 messages, and an invoice over 150: 100 came with the plan, 30 are the gift's, 20 cost $0.20 each."""
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    gift = await give(books.shop, holder, "30")
    await books.bill()
    await books.use(holder, "150")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()
    found = [
        one
        for one in await books.invoices()
        if any(line.kind is LineKind.USAGE for line in one.lines)
    ]
    return holder, gift, found[-1]


@pytest.mark.spec("INV-6", "CRD-4")
async def test_note_over_a_whole_invoice__gives_back_the_money_and_no_credits(
    books: Books,
) -> None:
    holder, gift, invoice = await billed(books)
    [usage] = [line for line in invoice.lines if line.kind is LineKind.USAGE and line.amount]
    before = [(one.kind, one.amount) for one in await history_of(books.shop, holder, gift.id)]

    note = await books.credit(invoice, Purpose.REDUCE_DUE)

    # $30.00 of usage, of which credits paid $26.00: $4.00 were asked for, and the seat's $30.00
    assert usage.amount == D("30.00")
    assert {line.invoice_line_id: line.amount for line in note.lines}[usage.id] == D("4.00")
    assert note.subtotal == invoice.subtotal == D("34.00")
    assert (await grant_now(books.shop, gift.id)).balance == 0
    assert [
        (one.kind, one.amount) for one in await history_of(books.shop, holder, gift.id)
    ] == before
    assert await reconcile_credits(books.shop.db, books.shop.merchant_id) == []


@pytest.mark.spec("INV-6", "CRD-10")
async def test_credits_given_back_beside_a_note__are_in_the_same_grant_and_pay_the_next_period(
    books: Books,
) -> None:
    holder, gift, invoice = await billed(books)
    await books.credit(invoice, Purpose.REDUCE_DUE)

    await adjust(books.shop, gift.id, "30")
    given_back = (await grant_now(books.shop, gift.id)).balance
    await books.use(holder, "120")
    await books.bill_at(datetime(2026, 3, 31, 15, tzinfo=UTC))
    await books.pass_grace()
    after = (await books.invoices())[-1]

    # 120 used in March: 100 came with the plan, 20 are the gift's; only the seat's $30 are asked for
    assert given_back == 30
    assert (await grant_now(books.shop, gift.id)).balance == 10
    assert after.subtotal == D("30.00")


@pytest.mark.spec("INV-6", "CRD-8")
async def test_void__gives_the_credits_back_that_a_note_would_not(books: Books) -> None:
    _, gift, invoice = await billed(books)

    await books.void(replace(invoice))

    assert (await grant_now(books.shop, gift.id)).balance == 30
