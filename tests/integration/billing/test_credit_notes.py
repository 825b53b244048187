"""Credit notes on a real database: amounts, uses, numbers, and what no interleaving can break (INV-6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.billing.v1 import credit_note_pb2
from candela.billing.v1 import credit_note_service_pb2 as pb
from candela.type.v1 import money_pb2

from candela_server.billing.create_credit_note import create_credit_note
from candela_server.billing.credit_note import (
    CreditNoteExceedsLineError,
    NothingToCreditError,
    Purpose,
    RefundExceedsPaymentError,
)
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.draw_up_credit_note import draw_up_credit_note
from candela_server.billing.model import (
    Invoice,
    InvoiceNotFoundError,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineId,
)
from candela_server.credit.model import TransactionKind
from candela_server.customer.model import Customer
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.kernel.money import Money
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books, note_of

D = Decimal


async def sold(books: Books, name: str = "acme", seats: int = 5) -> tuple[Customer, Invoice]:
    """A customer with a finalized invoice of seats at $30."""
    customer = await books.shop.sign_up(name)
    held = await books.shop.subscribe(customer, seats)
    await books.bill()
    return customer, next(one for one in await books.invoices() if one.subscription_id == held.id)


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


@pytest.mark.spec("INV-6")
async def test_ten_invoices_at_once__draw_an_account_once(books: Books) -> None:
    customer, one = await sold(books, seats=5)
    await books.pay(one)
    note = await books.credit(one, Purpose.CREDIT_BALANCE)  # 150.00
    for _ in range(10):
        await books.shop.subscribe(customer, 1, allow_duplicate=True)

    await asyncio.gather(*[books.bill() for _ in range(10)])
    made = [invoice for invoice in await books.invoices() if invoice.id != one.id]

    assert len(made) == 10
    assert sum(invoice.amount_due for invoice in made) == D("150.00")  # 10 × 30.00 − 150.00
    assert note.grant_id is not None
    assert (await books.balances(customer))[note.grant_id] == 0


@pytest.mark.spec("INV-6")
async def test_ten_notes_over_a_whole_invoice_at_once__give_it_back_once(books: Books) -> None:
    _, one = await sold(books)
    await books.pay(one)

    got = await asyncio.gather(
        *[books.credit(one, Purpose.REFUND) for _ in range(10)], return_exceptions=True
    )

    assert sum(isinstance(result, NothingToCreditError) for result in got) == 9
    assert [note.total for note in await books.notes()] == [D("150.00")]


@pytest.mark.spec("INV-6", "INV-4")
async def test_many_notes_at_once_with_some_that_fail__have_gapless_numbers(books: Books) -> None:
    _, one = await sold(books)
    line = one.lines[0].id

    async def try_one(amount: str, *, fails: bool) -> None:
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await create_credit_note(
                tx, books.shop.clock, note_of(one, Purpose.REDUCE_DUE, {line: amount})
            )
            if fails:
                raise RuntimeError("the machine fails after the number was taken")

    await asyncio.gather(
        *[try_one("1.00", fails=index % 3 == 0) for index in range(24)], return_exceptions=True
    )

    assert sorted(note.number for note in await books.notes()) == [
        f"CN-{number:06d}" for number in range(1, 17)
    ]
    assert (await books.invoice(one.id)).amount_due == D("134.00")  # 150 − 16


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


@pytest.mark.spec("INV-6", "AUD-2")
async def test_ten_equal_requests_with_one_key__make_one_note_and_get_the_same_answer(
    books: Books, db: Postgres, clock: FixedClock
) -> None:
    _, one = await sold(books)
    servicer = CreditNoteServicer(db, Mutations(db, clock), clock, b"secret")
    request = pb.CreateCreditNoteRequest(
        idempotency_key="k1",
        invoice_id=one.id,
        lines=[
            credit_note_pb2.CreditNoteLine(
                invoice_line_id=one.lines[0].id,
                amount=money_pb2.Money(currency="USD", amount="10"),
            )
        ],
        use=credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE,
        reason=credit_note_pb2.CREDIT_NOTE_REASON_UNSATISFACTORY,
        memo="a late delivery",
    )

    with acting_as(books.shop.merchant_id, "CreateCreditNote"):
        got = await asyncio.gather(*[servicer.CreateCreditNote(request, None) for _ in range(10)])
        preview = await servicer.PreviewCreditNote(
            pb.PreviewCreditNoteRequest(
                invoice_id=one.id,
                use=credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE,
                reason=credit_note_pb2.CREDIT_NOTE_REASON_OTHER,
            ),
            None,
        )

    assert {answer.SerializeToString() for answer in got} == {got[0].SerializeToString()}
    assert len(await books.notes()) == 1
    assert (preview.credit_note.id, preview.credit_note.number) == ("", "")
    assert preview.credit_note.total.amount == "140"  # 150 − 10
    assert len(await books.notes()) == 1


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
