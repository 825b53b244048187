"""What is done about unpaid invoices, on a real database: void, reissue, paid outside, written off (INV-6, INV-7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.model import (
    Invoice,
    InvoiceNotFoundError,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineKind,
)
from candela_server.billing.write_off_invoice import write_off_invoice
from candela_server.customer.model import Customer
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.postgres import Postgres

from tests.helpers.billing import Books

D = Decimal
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)


async def seats_invoice(books: Books, seats: int = 5) -> Invoice:
    """A finalized invoice of seats alone."""
    await books.shop.subscribe(await books.shop.sign_up("acme"), seats)
    await books.bill()
    [one] = await books.invoices()
    return one


async def usage_invoice(books: Books) -> tuple[Customer, Invoice]:
    """A finalized invoice of 1 seat ($30), 150 messages ($30) and 100 of them included (−$20)."""
    customer = await books.shop.sign_up("acme")
    await books.shop.subscribe(customer, 1)
    await books.bill()
    await books.use(customer, "150")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()
    [_, one] = await books.invoices()
    assert (one.status, one.total) == (InvoiceStatus.FINALIZED, D("40.00"))
    return customer, one


@pytest.mark.spec("INV-6")
async def test_voided_invoice__keeps_its_number_and_lines_and_owes_nothing(books: Books) -> None:
    before = await seats_invoice(books)

    got = await books.void(before)
    stored = await books.invoice(before.id)

    assert got == stored
    assert (got.status, got.number, got.amount_due) == (InvoiceStatus.VOID, "INV-000001", 0)
    assert (got.total, got.lines) == (D("150.00"), before.lines)
    assert await books.audited(before.id) == ["invoice.created", "invoice.voided"]


@pytest.mark.spec("INV-6", "CRD-4")
async def test_voided_invoice__gives_its_credits_back_to_the_same_grants(books: Books) -> None:
    customer, one = await usage_invoice(books)
    [drawn] = [draw for line in one.lines for draw in line.draws]
    before = await books.balances(customer)

    await books.void(one)
    after = await books.balances(customer)

    assert drawn.amount == 100
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
        drawn.grant_id: D(100)
    }


@pytest.mark.spec("INV-6", "INV-2")
async def test_voided_invoice__is_not_billed_again_by_itself(books: Books) -> None:
    one = await seats_invoice(books)
    await books.void(one)

    await books.bill()

    assert [invoice.id for invoice in await books.invoices()] == [one.id]


@pytest.mark.spec("INV-7")
async def test_ten_voids_at_once__one_happens_and_the_others_are_refused_by_name(
    books: Books,
) -> None:
    one = await seats_invoice(books)

    got = await asyncio.gather(*[books.void(one) for _ in range(10)], return_exceptions=True)

    refused = [error for error in got if isinstance(error, InvoiceTransitionRefusedError)]
    assert len(refused) == 9
    assert {error.metadata["from"] for error in refused} == {"void"}


@pytest.mark.spec("INV-7")
async def test_void_pay_and_write_off_at_once__exactly_one_happens(books: Books) -> None:
    one = await seats_invoice(books)

    async def write_off() -> Invoice:
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            return await write_off_invoice(tx, books.shop.clock, one.id, reason="bankrupt")

    acts = [*(books.void(one) for _ in range(3)), *(books.pay(one) for _ in range(4))]
    acts += [write_off() for _ in range(3)]
    got = await asyncio.gather(*acts, return_exceptions=True)

    done = [result for result in got if isinstance(result, Invoice)]
    assert len(done) == 1
    assert sum(isinstance(result, InvoiceTransitionRefusedError) for result in got) == 9
    assert await books.invoice(one.id) == done[0]


@pytest.mark.spec("INV-6", "INV-2")
async def test_reissued_invoice__is_a_new_draft_of_the_same_periods_with_late_usage(
    books: Books,
) -> None:
    customer, one = await usage_invoice(books)
    await books.use(customer, "50", at=FEBRUARY_28 - timedelta(minutes=1))  # after its invoice

    voided, draft = await books.reissue(one)
    await books.pass_grace()
    final = await books.invoice(draft.id)

    assert voided.status is InvoiceStatus.VOID
    assert (draft.status, draft.number) == (InvoiceStatus.DRAFT, None)
    assert [(line.kind, line.component_id, line.period) for line in draft.lines] == [
        (line.kind, line.component_id, line.period) for line in one.lines
    ]
    assert draft.total == D("50.00")  # 30.00 + 200 × 0.20 − 100 × 0.20
    assert (final.status, final.number, final.total) == (
        InvoiceStatus.FINALIZED,
        "INV-000003",
        D("50.00"),
    )
    assert not {line.id for line in final.lines} & {line.id for line in one.lines}


@pytest.mark.spec("INV-6", "CRD-4")
async def test_reissued_invoice__draws_the_credits_that_came_back(books: Books) -> None:
    customer, one = await usage_invoice(books)
    before = await books.balances(customer)

    await books.reissue(one)
    await books.pass_grace()

    assert await books.balances(customer) == before


@pytest.mark.spec("INV-6")
async def test_invoice_voided_before__is_reissued_once(books: Books) -> None:
    one = await seats_invoice(books)
    await books.void(one)

    got = await asyncio.gather(*[books.reissue(one) for _ in range(10)], return_exceptions=True)

    assert sum(isinstance(result, tuple) for result in got) == 1
    assert sum(isinstance(result, InvoiceTransitionRefusedError) for result in got) == 9
    assert len(await books.invoices(InvoiceStatus.DRAFT)) == 1


@pytest.mark.spec("INV-2", "INV-6")
async def test_period_on_an_invoice_that_is_not_void__cannot_be_billed_by_sql_again(
    books: Books,
) -> None:
    one = await seats_invoice(books)
    _, draft = await books.reissue(one)

    with pytest.raises(Exception, match="invoice_line_once"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(
                """
                INSERT INTO invoice_line (merchant_id, id, invoice_id, position, kind, description,
                    quantity, rated_amount, amount, subscription_id, component_id, price_id,
                    plan_version_id, period_number, period_start, period_end)
                SELECT merchant_id, 'line_again', invoice_id, 9, kind, description, quantity,
                    rated_amount, amount, subscription_id, component_id, price_id, plan_version_id,
                    period_number, period_start, period_end
                FROM invoice_line WHERE merchant_id = $1 AND invoice_id = $2
                """,
                books.shop.merchant_id,
                draft.id,
            )


@pytest.mark.spec("INV-7")
async def test_invoice_marked_paid__records_when_how_much_and_the_reference(books: Books) -> None:
    one = await seats_invoice(books)
    books.shop.clock.advance(one.created_at + timedelta(days=20))

    got = await books.pay(one, one.created_at + timedelta(days=18))
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        [payment] = await tx.fetch(
            """
            SELECT amount, paid_at, reference FROM offline_payment
            WHERE merchant_id = $1 AND invoice_id = $2
            """,
            books.shop.merchant_id,
            one.id,
        )

    assert (got.status, got.amount_due) == (InvoiceStatus.PAID, 0)
    assert got.ended_at == one.created_at + timedelta(days=18)
    assert tuple(payment.values()) == (D("150.00"), got.ended_at, "wire 7")


@pytest.mark.spec("INV-7")
@pytest.mark.parametrize("shift", [timedelta(seconds=1), timedelta(days=-400)])
async def test_payment_dated_when_it_cannot_have_been__is_refused_naming_the_field(
    books: Books, shift: timedelta
) -> None:
    one = await seats_invoice(books)

    with pytest.raises(InvalidInput, match="give an instant in between") as refused:
        await books.pay(one, books.shop.clock.now() + shift)

    assert [wrong.field for wrong in refused.value.violations] == ["paid_at"]


@pytest.mark.spec("INV-7")
async def test_written_off_invoice__says_what_was_lost_and_is_never_touched_again(
    books: Books,
) -> None:
    one = await seats_invoice(books)
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        got = await write_off_invoice(tx, books.shop.clock, one.id, reason="bankrupt")

    assert (got.status, got.amount_due) == (InvoiceStatus.UNCOLLECTIBLE, D("150.00"))
    for act in (books.void, books.pay, books.reissue):
        with pytest.raises(InvoiceTransitionRefusedError, match="nothing is done with it any more"):
            await act(one)


@pytest.mark.spec("INV-6", "INV-7")
async def test_invoice_of_another_merchant__is_not_found(
    books: Books, db: Postgres, clock: FixedClock
) -> None:
    one = await seats_invoice(books)
    other = await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))
    books.shop.merchant_id = other.merchant.id

    for act in (books.void, books.pay, books.reissue):
        with pytest.raises(InvoiceNotFoundError):
            await act(one)


@pytest.mark.spec("INV-6")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice SET total = 1, subtotal = 1 WHERE merchant_id = $1",
        "UPDATE invoice SET number = 'INV-9' WHERE merchant_id = $1",
        "UPDATE invoice SET amount_due = amount_due + 1, total = total WHERE merchant_id = $1",
        "UPDATE invoice SET amount_due = 151 WHERE merchant_id = $1",
        "UPDATE invoice SET status = 'draft', number = NULL WHERE merchant_id = $1",
        "UPDATE invoice SET status = 'paid' WHERE merchant_id = $1",
        "UPDATE invoice SET status = 'void', amount_due = 0 WHERE merchant_id = $1",
        "DELETE FROM invoice WHERE merchant_id = $1",
        "TRUNCATE invoice",
        "UPDATE invoice_line SET amount = 1 WHERE merchant_id = $1",
        "UPDATE invoice_line SET voided = true WHERE merchant_id = $1",
        "DELETE FROM invoice_line WHERE merchant_id = $1",
        """
        INSERT INTO invoice_line (merchant_id, id, invoice_id, position, kind, description, quantity,
            rated_amount, amount, subscription_id, component_id, price_id, plan_version_id,
            period_number, period_start, period_end)
        SELECT merchant_id, 'line_more', invoice_id, 9, kind, description, quantity, rated_amount,
            amount, subscription_id, component_id, price_id, plan_version_id, 7,
            period_start + interval '9 months', period_end + interval '9 months'
        FROM invoice_line WHERE merchant_id = $1
        """,
        "DROP TRIGGER invoice_frozen ON invoice",
        "ALTER TABLE invoice DISABLE TRIGGER ALL",
    ],
)
async def test_finalized_invoice__is_not_changed_by_any_sql_of_the_servers_role(
    books: Books, statement: str
) -> None:
    before = await seats_invoice(books)
    arguments = [books.shop.merchant_id] if "$1" in statement else []

    with pytest.raises(Exception, match=r"invoice|permission denied|must be owner"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(statement, *arguments)

    assert await books.invoices() == [before]


@pytest.mark.spec("INV-7")
@pytest.mark.parametrize("status", ["finalized", "void", "uncollectible"])
async def test_paid_invoice__never_becomes_anything_else_by_sql(books: Books, status: str) -> None:
    one = await books.pay(await seats_invoice(books))

    with pytest.raises(Exception, match="never changes"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(
                "UPDATE invoice SET status = $2 WHERE merchant_id = $1",
                books.shop.merchant_id,
                status,
            )

    assert await books.invoice(one.id) == one


@pytest.mark.spec("INV-1", "CRD-7")
async def test_usage_invoice__shows_usage_and_what_credits_paid(books: Books) -> None:
    _, one = await usage_invoice(books)

    assert [(line.kind, line.amount) for line in one.lines if line.amount] == [
        (LineKind.USAGE, D("30.00")),  # 150 × 0.20
        (LineKind.USAGE_CREDIT, D("-20.00")),  # 100 × 0.20
        (LineKind.RECURRING, D("30.00")),
    ]
