"""Previews of the next invoice: by the code that makes it, and without a trace (INV-5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.billing.v1 import preview_service_pb2 as pb

from candela_server.billing.credit_note import Purpose
from candela_server.billing.model import Invoice, InvoiceId, InvoiceStatus, LineId, LineKind
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.preview_servicer import PreviewServicer
from candela_server.kernel.ids import new_id
from candela_server.subscription.model import (
    Subscription,
    SubscriptionId,
    SubscriptionNotFoundError,
)

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books

D = Decimal
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)
MARCH_31 = datetime(2026, 3, 31, 14, tzinfo=UTC)


async def preview(books: Books, held: Subscription) -> Invoice:
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        shown = await preview_next_invoice(tx, books.events, books.shop.clock, held.id)
    assert shown is not None
    return shown


def without_ids(invoice: Invoice) -> Invoice:
    """An invoice as a preview can know it: ids, and the instant of the last look at usage, are the run's own."""
    return replace(
        invoice,
        id=InvoiceId(""),
        lines=tuple(
            replace(line, id=LineId(""), source_line_id=None, usage_seen_at=None)
            for line in invoice.lines
        ),
    )


@pytest.mark.spec("INV-5")
async def test_preview_before_the_first_run__is_the_invoice_that_the_run_makes(
    books: Books,
) -> None:
    held = await books.shop.subscribe(await books.shop.sign_up("acme"), 3)

    shown = await preview(books, held)
    await books.bill()
    [made] = await books.invoices()

    assert shown.total == made.total == D("90.00")  # 3 × 30.00
    assert [line.description for line in shown.lines] == [line.description for line in made.lines]


@pytest.mark.spec("INV-5", "INV-3")
async def test_preview_with_usage_so_far__is_the_draft_that_the_period_ends_with(
    books: Books,
) -> None:
    customer = await books.shop.sign_up("acme")
    held = await books.shop.subscribe(customer, 1)
    await books.bill()
    books.shop.clock.advance(datetime(2026, 2, 10, tzinfo=UTC))
    await books.use(customer, "170")

    shown = await preview(books, held)
    await books.bill_at(FEBRUARY_28)
    [draft] = await books.invoices(InvoiceStatus.DRAFT)

    assert shown.total == D("44.00")  # 30.00 + (170 − 100) × 0.20
    assert without_ids(shown) == without_ids(draft)


@pytest.mark.spec("INV-5")
async def test_preview__writes_nothing(books: Books) -> None:
    customer = await books.shop.sign_up("acme")
    held = await books.shop.subscribe(customer, 1)
    await books.bill()
    await books.use(customer, "170")
    invoices, balances = await books.invoices(), await books.balances(customer)

    first = await preview(books, held)
    second = await preview(books, held)

    assert without_ids(first) == without_ids(second)
    assert (await books.invoices(), await books.balances(customer)) == (invoices, balances)


@pytest.mark.spec("INV-5", "INV-3")
async def test_preview_while_a_draft_waits__is_the_open_period_with_its_own_usage(
    books: Books,
) -> None:
    customer = await books.shop.sign_up("acme")
    held = await books.shop.subscribe(customer, 1)
    await books.bill()
    await books.use(customer, "170")
    await books.bill_at(FEBRUARY_28)  # February is a draft now, of 170 messages
    await books.use(customer, "120")  # of March

    shown = await preview(books, held)
    await books.bill_at(MARCH_31)
    [_, february, march] = await books.invoices()

    assert february.status is InvoiceStatus.FINALIZED
    assert shown.total == D("34.00")  # 30.00 + (120 − 100) × 0.20
    assert without_ids(shown) == without_ids(march)
    usage = next(line for line in shown.lines if line.kind is LineKind.USAGE and line.quantity)
    assert usage.period.start_at == FEBRUARY_28


@pytest.mark.spec("INV-5", "INV-6")
async def test_preview__takes_off_what_the_account_will_pay(books: Books) -> None:
    held = await books.shop.subscribe(await books.shop.sign_up("acme"), 2)
    await books.bill()
    [first] = await books.invoices()
    await books.pay(first)
    await books.credit(first, Purpose.CREDIT_BALANCE, {first.lines[0].id: "25.00"})

    shown = await preview(books, held)
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()
    [_, made] = await books.invoices()

    assert (shown.total, shown.amount_due) == (D("60.00"), D("35.00"))
    assert made.amount_due == D("35.00")


@pytest.mark.spec("INV-5")
async def test_preview_over_the_wire__has_no_ids_that_nobody_could_use(books: Books) -> None:
    held = await books.shop.subscribe(await books.shop.sign_up("acme"), 2)
    servicer = PreviewServicer(books.shop.db, books.events, books.shop.clock)

    with acting_as(books.shop.merchant_id):
        got = await servicer.PreviewNextInvoice(
            pb.PreviewNextInvoiceRequest(subscription_id=held.id), None
        )

    assert (got.invoice.id, {line.id for line in got.invoice.lines}) == ("", {""})
    assert got.invoice.total.amount == "60"


@pytest.mark.spec("INV-5")
async def test_unknown_subscription__is_not_found(books: Books) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        async with books.shop.db.reading(books.shop.merchant_id) as tx:
            await preview_next_invoice(
                tx, books.events, books.shop.clock, SubscriptionId(new_id("sub"))
            )


@pytest.mark.spec("INV-5")
async def test_preview_when_the_run_is_late__is_dated_now(books: Books) -> None:
    held = await books.shop.subscribe(await books.shop.sign_up("acme"), 1)
    await books.bill()
    books.shop.clock.advance(FEBRUARY_28 + timedelta(hours=5))

    shown = await preview(books, held)
    await books.bill()
    [_, made] = await books.invoices()

    assert without_ids(shown) == without_ids(made)
