"""Credit notes and draws of an account that race: nothing is given or drawn twice, and numbers have no gaps (INV-6)."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from candela.billing.v1 import credit_note_pb2
from candela.billing.v1 import credit_note_service_pb2 as pb
from candela.type.v1 import money_pb2

from candela_server.billing.create_credit_note import create_credit_note
from candela_server.billing.credit_note import NothingToCreditError, Purpose
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.kernel.clock import FixedClock
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books, note_of, sold

D = Decimal


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
