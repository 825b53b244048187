"""The pipeline on a real database: exactly once, in order, and to the cent (INV-1 to INV-4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing import store
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.model import Invoice, InvoiceStatus, LineKind
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.run_billing import run_billing
from candela_server.storage.events import EventStore

from tests.helpers.selling import Shop


async def invoices(shop: Shop) -> list[Invoice]:
    async with shop.db.reading(shop.merchant_id) as tx:
        return await store.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=10_000, after=None
        )


async def bill(shop: Shop, events: EventStore) -> int:
    now = shop.clock.now()
    await finalize_due(shop.db, events, shop.merchant_id, now=now)
    return (await run_billing(shop.db, events, shop.merchant_id, now=now)).invoices


@pytest.mark.spec("INV-2")
async def test_ten_runs_at_once_for_one_due_period__make_one_invoice(
    shop: Shop, events: EventStore
) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 5)

    made = await asyncio.gather(
        *[run_billing(shop.db, events, shop.merchant_id, now=shop.clock.now()) for _ in range(10)]
    )

    assert sum(one.invoices for one in made) == 1
    [got] = await invoices(shop)
    assert got.total == Decimal("150.00")  # 5 × 30.00
    assert got.number == "INV-000001"


@pytest.mark.spec("INV-1", "DSL-5", "CRD-5")
async def test_pipeline_that_slept_three_months__makes_one_invoice_per_period_in_order(
    shop: Shop, events: EventStore
) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 2)
    shop.clock.advance(datetime(2026, 5, 1, tzinfo=UTC))

    await bill(shop, events)
    await bill(shop, events)
    got = await invoices(shop)

    starts = [
        line.period.start_at
        for invoice in sorted(got, key=lambda one: one.lines[-1].period.start_at)
        for line in invoice.lines
        if line.kind is LineKind.RECURRING
    ]
    # 10:00 in New York: 15:00Z in winter, 14:00Z after 8 March; the 31st returns after February.
    assert starts == [
        datetime(2026, 1, 31, 15, tzinfo=UTC),
        datetime(2026, 2, 28, 15, tzinfo=UTC),
        datetime(2026, 3, 31, 14, tzinfo=UTC),
        datetime(2026, 4, 30, 14, tzinfo=UTC),
    ]


@pytest.mark.spec("INV-2")
async def test_second_run__changes_nothing(shop: Shop, events: EventStore) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await bill(shop, events)
    before = await invoices(shop)

    assert await bill(shop, events) == 0
    assert await invoices(shop) == before


@pytest.mark.spec("INV-3")
async def test_invoice_with_usage__waits_as_a_draft_for_its_grace(
    shop: Shop, events: EventStore
) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await bill(shop, events)
    shop.clock.advance(datetime(2026, 2, 28, 15, tzinfo=UTC))
    await bill(shop, events)
    [first, draft] = await invoices(shop)
    shop.clock.advance(shop.clock.now() + timedelta(hours=1))
    await bill(shop, events)
    [_, finalized] = await invoices(shop)

    assert (first.status, draft.status) == (InvoiceStatus.FINALIZED, InvoiceStatus.DRAFT)
    assert draft.number is None
    assert finalized.status is InvoiceStatus.FINALIZED
    assert finalized.number == "INV-000002"


@pytest.mark.spec("INV-4", "INV-1")
async def test_many_subscriptions__billed_in_chunks_with_gapless_numbers(
    shop: Shop, events: EventStore
) -> None:
    for number in range(25):
        await shop.subscribe(await shop.sign_up(f"c{number}"), number + 1)

    assert await bill(shop, events) == 25
    got = await invoices(shop)

    assert sorted(one.number or "" for one in got) == [f"INV-{n:06d}" for n in range(1, 26)]
    # 30.00 × (1 + 2 + … + 25) = 30.00 × 325
    assert sum(one.total for one in got) == Decimal("9750.00")


@pytest.mark.spec("INV-6")
async def test_finalized_invoice__cannot_be_changed_by_sql(shop: Shop, events: EventStore) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await bill(shop, events)

    with pytest.raises(Exception, match="never changes"):
        async with shop.db.writing(shop.merchant_id) as tx:
            await tx.execute(
                "UPDATE invoice SET currency = 'EUR' WHERE merchant_id = $1", shop.merchant_id
            )


@pytest.mark.spec("TAX-1")
async def test_buyer_without_tax_id_and_business_name__is_not_taxed_and_the_invoice_says_why(
    shop: Shop, events: EventStore
) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await bill(shop, events)
    [got] = await invoices(shop)

    assert (got.tax.percent, got.tax.reason) == (Decimal(0), "b2c_tax_not_supported")


@pytest.mark.spec("INV-1")
async def test_pdf_drawn_twice__is_the_same_document(shop: Shop, events: EventStore) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await bill(shop, events)
    [got] = await invoices(shop)

    assert render_pdf(got) == render_pdf(got)
    assert render_pdf(got).startswith(b"%PDF-")


@pytest.mark.spec("INV-1")
async def test_customer_with_an_absurd_number_of_invoices__is_parked(
    shop: Shop, events: EventStore
) -> None:
    held = await shop.subscribe(await shop.sign_up("acme"), 1)
    shop.clock.advance(datetime(2027, 12, 1, tzinfo=UTC))  # 23 periods are due at once

    await bill(shop, events)
    got = await invoices(shop)
    async with shop.db.reading(shop.merchant_id) as tx:
        parked = await tx.fetchval(
            """
            SELECT bool_and(parked_at IS NOT NULL) FROM component_schedule
            WHERE merchant_id = $1 AND subscription_id = $2
            """,
            shop.merchant_id,
            held.id,
        )

    assert len(got) == 15
    assert parked
