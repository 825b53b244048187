"""What becomes of a credit note's amount: less due, a refund, or credit on account (INV-6)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing.credit_note import Purpose
from candela_server.billing.model import InvoiceStatus
from candela_server.credit.model import TransactionKind

from tests.helpers.billing import Books, sold

D = Decimal


@pytest.mark.spec("INV-6")
async def test_note_that_reduces_what_is_due__leaves_the_rest_due(books: Books) -> None:
    _, one = await sold(books)
    line = one.lines[0].id

    note = await books.credit(one, Purpose.REDUCE_DUE, {line: "60.00"})
    after = await books.invoice(one.id)

    assert (note.number, note.total) == ("CN-000001", D("60.00"))
    assert (after.status, after.amount_due, after.total) == (
        InvoiceStatus.FINALIZED,
        D("90.00"),  # 150.00 − 60.00
        D("150.00"),
    )
    assert await books.notes() == [note]
    assert await books.audited(note.id) == ["credit_note.created"]


@pytest.mark.spec("INV-6")
async def test_note_over_all_that_is_due__leaves_nothing_to_pay(books: Books) -> None:
    _, one = await sold(books)
    await books.credit(one, Purpose.REDUCE_DUE, {one.lines[0].id: "60.00"})

    note = await books.credit(one, Purpose.REDUCE_DUE)
    after = await books.invoice(one.id)

    assert note.total == D("90.00")
    assert (after.status, after.amount_due) == (InvoiceStatus.PAID, 0)
    assert after.ended_at == note.created_at


@pytest.mark.spec("INV-6")
async def test_note_of_a_paid_invoice__is_refunded_as_a_record_of_its_payment(books: Books) -> None:
    _, one = await sold(books)
    await books.pay(one)

    note = await books.credit(one, Purpose.REFUND, {one.lines[0].id: "30.00"})
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        [refund] = await tx.fetch(
            """
            SELECT r.amount, r.status, r.credit_note_id, p.invoice_id
            FROM refund r JOIN offline_payment p
              ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
            WHERE r.merchant_id = $1
            """,
            books.shop.merchant_id,
        )

    assert tuple(refund.values()) == (D("30.00"), "pending", note.id, one.id)
    assert (await books.invoice(one.id)).status is InvoiceStatus.PAID


@pytest.mark.spec("INV-6")
async def test_note_to_the_account__pays_the_next_invoices_as_far_as_it_goes(books: Books) -> None:
    customer, one = await sold(books, seats=2)
    await books.pay(one)
    note = await books.credit(one, Purpose.CREDIT_BALANCE)  # 60.00
    assert note.grant_id is not None

    await books.shop.subscribe(customer, 1, allow_duplicate=True)
    await books.bill()
    [_, first] = await books.invoices()
    await books.shop.subscribe(customer, 2, allow_duplicate=True)
    await books.bill()
    [_, _, second] = await books.invoices()

    assert (first.status, first.total, first.amount_due) == (InvoiceStatus.PAID, D("30.00"), 0)
    # 60.00 − (60.00 − 30.00)
    assert (second.status, second.amount_due) == (InvoiceStatus.FINALIZED, D("30.00"))
    assert (await books.balances(customer))[note.grant_id] == 0


@pytest.mark.spec("INV-6", "CRD-4")
async def test_void_of_an_invoice_that_the_account_paid__gives_it_back(books: Books) -> None:
    customer, one = await sold(books, seats=1)
    await books.pay(one)
    note = await books.credit(one, Purpose.CREDIT_BALANCE)  # 30.00
    await books.shop.subscribe(customer, 2, allow_duplicate=True)
    await books.bill()
    second = (await books.invoices())[1]
    assert second.amount_due == D("30.00")  # 60.00 − 30.00

    await books.void(second)

    assert note.grant_id is not None
    assert (await books.balances(customer))[note.grant_id] == D("30.00")


@pytest.mark.spec("INV-6", "CRD-4")
async def test_note_beyond_what_is_due_in_money__goes_back_to_the_account(books: Books) -> None:
    customer, one = await sold(books, seats=1)
    await books.pay(one)
    note = await books.credit(one, Purpose.CREDIT_BALANCE)  # 30.00
    await books.shop.subscribe(customer, 2, allow_duplicate=True)
    await books.bill()
    second = (await books.invoices())[1]

    await books.credit(second, Purpose.REDUCE_DUE, {second.lines[0].id: "50.00"})
    after = await books.invoice(second.id)

    assert (after.status, after.amount_due) == (InvoiceStatus.PAID, 0)
    assert note.grant_id is not None
    assert (await books.balances(customer))[note.grant_id] == D("20.00")  # 50.00 − 30.00 due


@pytest.mark.spec("INV-6", "CRD-4")
async def test_credit_on_account__is_a_ledger_of_what_happened(books: Books) -> None:
    customer, one = await sold(books, seats=1)
    await books.pay(one)
    note = await books.credit(one, Purpose.CREDIT_BALANCE)
    await books.shop.subscribe(customer, 2, allow_duplicate=True)
    await books.bill_at(datetime(2026, 2, 1, tzinfo=UTC))
    second = (await books.invoices())[1]
    await books.void(second)
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT kind, amount, reason FROM credit_transaction
            WHERE merchant_id = $1 AND grant_id = $2 ORDER BY at, id
            """,
            books.shop.merchant_id,
            note.grant_id,
        )

    assert [tuple(row.values()) for row in rows] == [
        (TransactionKind.GRANT, D("30.00"), "credit note CN-000001 of invoice INV-000001"),
        (TransactionKind.DRAW, D("-30.00"), f"invoice {second.id}"),
        (TransactionKind.RESTORE, D("30.00"), "invoice INV-000002 was voided"),
    ]
