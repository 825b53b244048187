"""How long customers have to pay: the merchant's days, or their own (INV-1, INV-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.follow_due_dates import follow_due_dates
from candela_server.billing.rules.document_texts import invoice_texts
from candela_server.customer.model import Customer, CustomerById, PaymentTerms
from candela_server.customer.update_customer import UpdateCustomer, update_customer
from candela_server.merchant import read as merchant
from candela_server.merchant import store as merchant_store
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Status

from tests.helpers.billing import Books


async def set_days(books: Books, days: int) -> None:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        found = await merchant.get_merchant(tx, lock=True)
        settings = replace(found.settings, payment_terms_days=days)
        await merchant_store.update_merchant(tx, replace(found, settings=settings))


async def set_own(books: Books, holder: Customer, terms: PaymentTerms | None) -> Customer:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        return await update_customer(
            tx,
            books.shop.clock,
            UpdateCustomer(
                customer=CustomerById(holder.id),
                name=None,
                external_id=None,
                email=None,
                business_name=None,
                tax_id=None,
                address=None,
                time_zone=None,
                metadata={},
                payment_terms=terms,
            ),
        )


@pytest.mark.spec("INV-1", "INV-7")
async def test_own_terms_of_a_customer__go_before_the_merchants(books: Books) -> None:
    shop = books.shop
    usual, own, back = [await shop.sign_up(name) for name in ("usual", "own", "back")]
    await set_days(books, 14)
    await set_own(books, own, PaymentTerms(60))
    await set_own(books, back, PaymentTerms(7))
    kept = await set_own(books, back, None)
    cleared = await set_own(books, back, PaymentTerms(None))
    for holder in (usual, own, back):
        await shop.subscribe(holder, 1)
    await books.bill()
    await set_days(books, 1)

    assert (kept.payment_terms_days, cleared.payment_terms_days) == (7, None)
    now = shop.clock.now()
    got = {one.customer_id: one.due_at for one in await books.invoices()}
    # Invoices that are final keep their due date.
    assert got == {
        usual.id: now + timedelta(days=14),
        own.id: now + timedelta(days=60) - timedelta(hours=1),  # the clocks go forward meanwhile
        back.id: now + timedelta(days=14),
    }


@pytest.mark.spec("INV-1", "INV-7", "DSL-5")
async def test_days__are_civil_ones_of_the_invoices_zone_and_printed_so(books: Books) -> None:
    """10:00 in New York on 31 January and 60 days on, in daylight saving time: 10:00 on 1 April."""
    shop = books.shop
    holder = await shop.sign_up("acme")
    await set_own(books, holder, PaymentTerms(60))
    await shop.subscribe(holder, 1)
    await books.bill()
    [invoice] = await books.invoices()

    assert invoice.due_at == datetime(2026, 4, 1, 14, tzinfo=UTC)
    facts = invoice_texts(invoice, from_account=Decimal(0))["facts"]
    assert [label for label, _ in facts] == ["Issued", "Due"]
    assert "31 January 2026" in facts[0][1]
    assert "1 April 2026" in facts[1][1]


@pytest.mark.spec("INV-7", "ENT-10")
async def test_due_at_once__is_past_due_at_once(books: Books) -> None:
    shop = books.shop
    await set_days(books, 0)
    held = await shop.subscribe(await shop.sign_up("acme"), 1)
    await books.bill()
    await follow_due_dates(shop.db, shop.merchant_id, now=shop.clock.now())
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await subscription.get_subscription(tx, held.id)

    assert (await books.invoices())[0].due_at == shop.clock.now()
    assert found.version.status is Status.PAST_DUE
