"""Taxes on a real database: drafts, finalization, credit notes, reissue, and the settings themselves (TAX-2)."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest
from candela.customer.v1 import customer_pb2
from pypdf import PdfReader

from candela_server.billing import tax_store, wire
from candela_server.billing.credit_note import Purpose
from candela_server.billing.credit_note_wire import credit_note_to_proto
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.tax_settings import TaxSettings, TaxSettingsVersionMismatchError
from candela_server.billing.update_tax_settings import UpdateTaxSettings, update_tax_settings
from candela_server.customer.create_customer import create_customer
from candela_server.customer.model import Address, Customer
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.postgres import Postgres
from candela_server.subscription.model import Subscription

from tests.helpers.billing import Books
from tests.helpers.commands import signing_up
from tests.helpers.crediting import give
from tests.helpers.taxes import settings
from tests.integration.billing.test_top_ups import order

D = Decimal
GERMAN = settings(rates={"DE": "19", "FR": "20"})


async def set_taxes(books: Books, wanted: TaxSettings, expected: int | None = None) -> TaxSettings:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        return await update_tax_settings(
            tx, UpdateTaxSettings(settings=wanted, expected_version=expected)
        )


async def sign_up(books: Books, country: str, tax_id: str | None) -> Customer:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        return await create_customer(
            tx,
            books.shop.clock,
            signing_up(
                "Kerze",
                business_name="Kerze GmbH",
                tax_id=tax_id,
                address=Address(country=country),
                time_zone="Europe/Berlin",
            ),
        )


async def sold(books: Books, country: str = "DE", tax_id: str | None = "DE136695976") -> Invoice:
    """A finalized invoice of five seats at 30.00."""
    return (await sold_with(books, country, tax_id))[1]


async def sold_with(
    books: Books, country: str = "DE", tax_id: str | None = "DE136695976"
) -> tuple[Subscription, Invoice]:
    held = await books.shop.subscribe(await sign_up(books, country, tax_id), 5)
    await books.bill()
    [one] = [one for one in await books.invoices() if one.subscription_id == held.id]
    return held, one


@pytest.mark.spec("TAX-2", "INV-8")
async def test_business_at_home__pays_the_country_s_rate(books: Books) -> None:
    await set_taxes(books, replace(GERMAN, seller_tax_id="DE129274202"))

    one = await sold(books)
    shown = wire.invoice_to_proto(one)

    assert (one.status, one.subtotal, one.tax_amount) == (
        InvoiceStatus.FINALIZED,
        D("150.00"),
        D("28.50"),  # 150.00 × 19 %
    )
    assert (one.total, one.amount_due) == (D("178.50"), D("178.50"))
    [tax] = shown.taxes
    assert (tax.name, tax.percent, tax.country, tax.reason) == ("VAT", "19", "DE", "")
    assert (tax.base.amount, tax.amount.amount, tax.inclusive) == ("150", "28.5", False)
    assert [line.tax_amount.amount for line in shown.lines] == ["28.5"]
    assert shown.seller.tax_id == "DE129274202"


@pytest.mark.spec("INV-1", "TAX-2")
async def test_seller__is_printed_with_registered_name_and_address_as_they_were(
    books: Books,
) -> None:
    berlin = Address(country="DE", city="Berlin", postal_code="10115", lines=("Dochtweg 3",))
    await set_taxes(
        books, replace(GERMAN, seller_business_name="Kerze GmbH", seller_address=berlin)
    )
    one = await sold(books)
    await set_taxes(books, GERMAN)

    [kept] = await books.invoices()
    seller = wire.invoice_to_proto(kept).seller
    [text] = [page.extract_text() for page in PdfReader(io.BytesIO(render_pdf(kept))).pages]

    assert seller.business_name == "Kerze GmbH"
    assert seller.address == customer_pb2.Address(
        country="DE", city="Berlin", postal_code="10115", lines=["Dochtweg 3"]
    )
    for shown in ("Kerze GmbH", "Dochtweg 3", "10115 Berlin", "DE"):
        assert shown in text, shown
    assert kept == one


@pytest.mark.spec("TAX-2")
async def test_business_in_another_member__accounts_for_the_tax_itself(books: Books) -> None:
    await set_taxes(books, GERMAN)

    one = await sold(books, "FR", "FR40303265045")

    assert (one.tax.reason, one.tax.country, one.total) == ("reverse_charge", "FR", D("150.00"))
    assert wire.invoice_to_proto(one).buyer.tax_id == "FR40303265045"


@pytest.mark.spec("TAX-2", "INV-8")
async def test_price_with_tax__is_what_is_due(books: Books) -> None:
    await set_taxes(books, replace(GERMAN, prices_include_tax=True))

    one = await sold(books)
    [tax] = wire.invoice_to_proto(one).taxes

    assert (one.subtotal, one.total, one.amount_due) == (D("150.00"), D("150.00"), D("150.00"))
    assert one.tax_amount == D("23.95")  # 150.00 × 19 ÷ 119 = 23.9495…
    assert (tax.inclusive, tax.base.amount) == (True, "126.05")


@pytest.mark.spec("TAX-2", "INV-6")
async def test_credit_note__gives_tax_back_at_the_invoice_s_rate_whatever_is_set_now(
    books: Books,
) -> None:
    await set_taxes(books, GERMAN)
    one = await sold(books)
    await set_taxes(books, settings(rates={"DE": "7"}))

    note = await books.credit(one, Purpose.REDUCE_DUE, {one.lines[0].id: "50.00"})
    rest = await books.credit(one, Purpose.REDUCE_DUE)
    [tax] = credit_note_to_proto(note).taxes

    assert (note.tax_amount, note.total) == (D("9.50"), D("59.50"))  # 50.00 × 19 %
    assert (rest.tax_amount, rest.total) == (D("19.00"), D("119.00"))
    assert (tax.name, tax.percent, tax.country, tax.amount.amount) == ("VAT", "19", "DE", "9.5")
    assert await books.notes() == [note, rest]
    assert (await books.invoice(one.id)).amount_due == 0


@pytest.mark.spec("TAX-2", "INV-6")
async def test_credit_notes_of_prices_with_tax__come_to_the_price_and_to_the_tax(
    books: Books,
) -> None:
    await set_taxes(books, replace(GERMAN, prices_include_tax=True))
    one = await sold(books)

    third = await books.credit(one, Purpose.REDUCE_DUE, {one.lines[0].id: "50.00"})
    rest = await books.credit(one, Purpose.REDUCE_DUE)

    # 23.95 × 50 ÷ 150 = 7.9833…, 7.98; the last note takes the rest, 15.97.
    assert (third.total, third.tax_amount) == (D("50.00"), D("7.98"))
    assert (rest.total, rest.tax_amount) == (D("100.00"), D("15.97"))


@pytest.mark.spec("TAX-2", "INV-6")
async def test_reissued_invoice__is_taxed_as_is_set_now(books: Books) -> None:
    await set_taxes(books, GERMAN)
    one = await sold(books)
    await set_taxes(books, settings(rates={"DE": "7"}))

    voided, draft = await books.reissue(one)

    assert (voided.tax.percent, voided.total) == (D(19), D("178.50"))
    assert (draft.tax.percent, draft.total) == (D(7), D("160.50"))
    assert draft.amount_due == D("160.50")


@pytest.mark.spec("TAX-2", "INV-3", "INV-5")
async def test_preview_and_draft__are_taxed_and_the_finalized_invoice_as_is_set_then(
    books: Books,
) -> None:
    await set_taxes(books, GERMAN)
    held, _ = await sold_with(books)
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        shown = await preview_next_invoice(tx, books.events, books.shop.clock, held.id)
    await books.bill_at(datetime(2026, 3, 1, tzinfo=UTC))
    [draft] = await books.invoices(InvoiceStatus.DRAFT)
    await set_taxes(books, settings(rates={"DE": "7"}))
    await books.pass_grace()
    after = await books.invoice(draft.id)

    assert shown is not None
    assert (shown.total, draft.total) == (D("178.50"), D("178.50"))
    assert (after.status, after.tax.percent, after.total) == (
        InvoiceStatus.FINALIZED,
        D(7),
        D("160.50"),
    )


@pytest.mark.spec("TAX-2", "INV-8")
async def test_total_that_is_not_the_sum_of_what_is_shown__is_refused_by_the_database(
    books: Books,
) -> None:
    await set_taxes(books, GERMAN)
    await sold(books)
    await books.bill_at(datetime(2026, 3, 1, tzinfo=UTC))

    with pytest.raises(asyncpg.CheckViolationError, match="invoice_adds_up"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(
                """
                UPDATE invoice SET tax_inclusive = true
                WHERE merchant_id = $1 AND status = 'draft'
                """,
                books.shop.merchant_id,
            )


@pytest.mark.spec("INV-8", "INV-3")
async def test_invoice_that_is_not_the_sum_of_its_lines__is_refused_by_the_database(
    books: Books,
) -> None:
    await sold(books)
    await books.bill_at(datetime(2026, 3, 1, tzinfo=UTC))
    shop = books.shop
    *_, draft = await books.invoices(InvoiceStatus.DRAFT)
    with pytest.raises(asyncpg.CheckViolationError, match="invoice inv_copy come to 0"):
        async with shop.db.writing(shop.merchant_id) as tx:
            # As one that is there, but none of the lines follows it.
            await tx.execute(
                """
                INSERT INTO invoice
                SELECT (jsonb_populate_record(i, '{"id": "inv_copy", "number": "INV-900000"}')).*
                FROM invoice i WHERE merchant_id = $1 AND status = 'finalized' LIMIT 1
                """,
                shop.merchant_id,
            )
    async with shop.db.writing(shop.merchant_id) as tx:
        await tx.execute(
            "UPDATE invoice_line SET amount = amount + 1 WHERE merchant_id = $1 AND invoice_id = $2",
            shop.merchant_id,
            draft.id,
        )
    with pytest.raises(asyncpg.CheckViolationError, match=f"invoice {draft.id} come to"):
        async with shop.db.writing(shop.merchant_id) as tx:
            await tx.execute(
                """
                UPDATE invoice SET status = 'finalized', number = 'INV-900001', finalizes_at = NULL,
                       finalized_at = created_at, due_at = created_at, seller = '{}', buyer = '{}'
                WHERE merchant_id = $1 AND id = $2
                """,
                shop.merchant_id,
                draft.id,
            )


@pytest.mark.spec("TAX-2", "AUD-1")
async def test_settings__are_versioned_and_audited(books: Books) -> None:
    first = await set_taxes(books, GERMAN, expected=0)
    second = await set_taxes(books, settings("default_rate", percent="8.875"), expected=1)
    with pytest.raises(TaxSettingsVersionMismatchError, match="version is 2, not 1"):
        await set_taxes(books, GERMAN, expected=1)
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        got = await tax_store.get_tax_settings(tx)

    assert (first.version, second.version) == (1, 2)
    assert got == second
    assert (await books.audited(books.shop.merchant_id))[-2:] == ["tax_settings.updated"] * 2


@pytest.mark.spec("TAX-2", "KEY-1")
async def test_settings_of_another_merchant__tax_nobody_here(
    books: Books, db: Postgres, clock: FixedClock
) -> None:
    other = await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))
    async with db.writing(other.merchant.id) as tx:
        await update_tax_settings(tx, UpdateTaxSettings(settings=GERMAN, expected_version=None))

    one = await sold(books)

    assert (one.tax.percent, one.tax.reason) == (D(0), "tax_not_configured")
    async with db.reading(books.shop.merchant_id) as tx:
        assert await tax_store.get_tax_settings(tx) == TaxSettings()


@pytest.mark.spec("TAX-2", "AUD-2")
async def test_changes_of_one_version_at_once__are_made_once(books: Books) -> None:
    made = await asyncio.gather(
        *[set_taxes(books, GERMAN, expected=0) for _ in range(8)], return_exceptions=True
    )

    changed = [one for one in made if isinstance(one, TaxSettings)]
    assert [one.version for one in changed] == [1]
    assert sum(isinstance(one, TaxSettingsVersionMismatchError) for one in made) == 7


@pytest.mark.spec("CRD-8", "TAX-2")
async def test_monetary_credit__lowers_what_is_taxed_and_a_pack_is_taxed_when_it_is_sold(
    books: Books,
) -> None:
    await set_taxes(books, GERMAN)
    holder = await sign_up(books, "DE", None)
    await give(books.shop, holder, "10", currency="USD")
    await books.shop.subscribe(holder, 1)
    await books.bill()
    _, pack = await order(books, holder, "500", "75")

    [invoice, _] = await books.invoices()

    # 30 − 10 = 20, of which 19 % are 3.80; 19 % of 75 are 14.25
    assert (invoice.subtotal, invoice.tax_amount, invoice.total) == (20, D("3.80"), D("23.80"))
    assert (pack.subtotal, pack.tax_amount, pack.amount_due) == (75, D("14.25"), D("89.25"))
