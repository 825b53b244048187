"""Credit notes that do not fit their invoice, its state or its owner, and what no SQL can do to one (INV-6)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from candela.billing.v1 import credit_note_pb2
from candela.billing.v1 import credit_note_service_pb2 as pb
from candela.type.v1 import money_pb2

from candela_server.billing.credit_note import (
    CreditNoteExceedsLineError,
    Purpose,
    RefundExceedsPaymentError,
)
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.draw_up_credit_note import draw_up_credit_note
from candela_server.billing.model import InvoiceNotFoundError, InvoiceTransitionRefusedError, LineId
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.kernel.money import Money
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books, note_of, sold

D = Decimal


@pytest.mark.spec("INV-6")
async def test_refund_of_more_than_was_paid_in_money__is_refused(books: Books) -> None:
    customer, one = await sold(books, seats=1)
    await books.pay(one)
    await books.credit(one, Purpose.CREDIT_BALANCE)  # 30.00
    await books.shop.subscribe(customer, 2, allow_duplicate=True)
    await books.bill()
    second = (await books.invoices())[1]
    await books.pay(second)  # 30.00 in money, 30.00 by the account

    with pytest.raises(RefundExceedsPaymentError) as refused:
        await books.credit(second, Purpose.REFUND, {second.lines[0].id: "30.01"})
    await books.credit(second, Purpose.REFUND, {second.lines[0].id: "30.00"})
    await books.credit(second, Purpose.CREDIT_BALANCE)

    assert refused.value.metadata["remaining"] == "30"
    assert [note.total for note in await books.notes()] == [D("30.00")] * 3


@pytest.mark.spec("INV-6")
@pytest.mark.parametrize(
    ("purpose", "state"),
    [
        (Purpose.REFUND, "finalized"),
        (Purpose.CREDIT_BALANCE, "finalized"),
        (Purpose.REDUCE_DUE, "paid"),
        (Purpose.REDUCE_DUE, "void"),
        (Purpose.REFUND, "void"),
    ],
)
async def test_use_that_does_not_fit_the_invoices_state__is_refused_by_name(
    books: Books, purpose: Purpose, state: str
) -> None:
    _, one = await sold(books)
    if state == "paid":
        await books.pay(one)
    if state == "void":
        await books.void(one)

    with pytest.raises(InvoiceTransitionRefusedError) as refused:
        await books.credit(one, purpose)

    assert refused.value.metadata["from"] == state
    assert await books.notes() == []


@pytest.mark.spec("INV-6")
async def test_draft__gets_no_credit_note(books: Books) -> None:
    _, one = await sold(books)
    _, draft = await books.reissue(one)

    with pytest.raises(InvoiceTransitionRefusedError, match="finalize it first"):
        await books.credit(draft, Purpose.REDUCE_DUE)


@pytest.mark.spec("INV-6")
async def test_corrected_invoice__is_not_voided_or_reissued(books: Books) -> None:
    _, one = await sold(books)
    await books.credit(one, Purpose.REDUCE_DUE, {one.lines[0].id: "1.00"})

    for act in (books.void, books.reissue):
        with pytest.raises(InvoiceTransitionRefusedError, match="credit the rest instead"):
            await act(one)


@pytest.mark.spec("INV-6")
async def test_amounts_that_do_not_fit_the_invoice__are_refused_each_by_its_field(
    books: Books,
) -> None:
    _, one = await sold(books)
    line = one.lines[0].id
    wanted = {
        LineId("line_unknown"): Money(currency="USD", amount=D(1)),
        line: Money(currency="EUR", amount=D(1)),
    }
    command = note_of(one, Purpose.REDUCE_DUE)

    async def draw_up(lines: dict[LineId, Money]) -> None:
        async with books.shop.db.reading(books.shop.merchant_id) as tx:
            await draw_up_credit_note(
                tx, books.shop.clock, replace(command, lines=lines), lock=False
            )

    with pytest.raises(InvalidInput) as refused:
        await draw_up(wanted)
    with pytest.raises(InvalidInput) as finer:
        await draw_up({line: Money(currency="USD", amount=D("0.001"))})
    with pytest.raises(CreditNoteExceedsLineError) as more:
        await draw_up({line: Money(currency="USD", amount=D("150.01"))})

    assert [(wrong.field, wrong.reason) for wrong in refused.value.violations] == [
        ("lines[0].invoice_line_id", None),
        ("lines[1].amount.currency", Reason.CURRENCY_MISMATCH),
    ]
    assert [wrong.field for wrong in finer.value.violations] == ["lines[0].amount.amount"]
    assert more.value.metadata == {"line_id": line, "remaining": "150"}


@pytest.mark.spec("INV-6")
async def test_wrong_request__is_told_every_wrong_field(
    books: Books, db: Postgres, clock: FixedClock
) -> None:
    servicer = CreditNoteServicer(db, Mutations(db, clock), clock, b"secret")
    twice = credit_note_pb2.CreditNoteLine(
        invoice_line_id="line_01m7yn78p9e2g8hhs3d2w81yc0",
        amount=money_pb2.Money(currency="USD", amount="-1"),
    )

    with acting_as(books.shop.merchant_id), pytest.raises(InvalidInput) as refused:
        await servicer.CreateCreditNote(
            pb.CreateCreditNoteRequest(
                idempotency_key="k", invoice_id="inv", lines=[twice, twice], memo="x" * 501
            ),
            None,
        )

    assert {wrong.field for wrong in refused.value.violations} == {
        "invoice_id",
        "lines[0].amount",
        "lines[1].amount",
        "lines[1].invoice_line_id",
        "use",
        "reason",
        "memo",
    }


@pytest.mark.spec("INV-6")
async def test_invoice_of_another_merchant__is_not_found(
    books: Books, db: Postgres, clock: FixedClock
) -> None:
    _, one = await sold(books)
    other = await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))
    books.shop.merchant_id = other.merchant.id

    with pytest.raises(InvoiceNotFoundError):
        await books.credit(one, Purpose.REDUCE_DUE)


@pytest.mark.spec("INV-6")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_note SET total = 1 WHERE merchant_id = $1",
        "DELETE FROM credit_note WHERE merchant_id = $1",
        "UPDATE credit_note_line SET amount = 1 WHERE merchant_id = $1",
        "DELETE FROM credit_note_line WHERE merchant_id = $1",
        """
        INSERT INTO credit_note (merchant_id, id, number, invoice_id, customer_id, total, purpose,
                                 reason, created_at)
        SELECT merchant_id, 'cn_more', 'CN-more', invoice_id, customer_id, 140.01, 'reduce_due',
               'other', created_at
        FROM credit_note WHERE merchant_id = $1
        """,
    ],
)
async def test_credit_note__is_not_changed_or_exceeded_by_sql(books: Books, statement: str) -> None:
    _, one = await sold(books)
    note = await books.credit(one, Purpose.REDUCE_DUE, {one.lines[0].id: "10.00"})

    with pytest.raises(Exception, match=r"permission denied|the credit notes of invoice"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(statement, books.shop.merchant_id)

    assert await books.notes() == [note]
