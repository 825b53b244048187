"""Every setting that a merchant may change is honoured from then on (INV-3, INV-4, EVT-9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from candela_server.billing import store as invoices
from candela_server.billing.run_billing import run_billing
from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.customer.create_customer import create_customer
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.model import Merchant, PastDueAction, PastDuePolicy
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant
from candela_server.metering.directory import Directory
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.commands import signing_up
from tests.helpers.selling import Shop


async def change(
    db: Postgres,
    merchant: TestMerchant,
    *,
    name: str | None = None,
    time_zone: str | None = None,
    settings: SettingsChange | None = None,
) -> Merchant:
    async with db.writing(merchant.id) as tx:
        return await update_merchant(
            tx,
            downgrade_plan_problem,
            UpdateMerchant(
                name=name,
                time_zone=time_zone,
                settings=settings or SettingsChange(),
                expected_version=None,
            ),
        )


@pytest.mark.spec("INV-3", "INV-4")
async def test_name_prefix_and_grace__are_on_the_next_invoice(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    settings = SettingsChange(invoice_number_prefix="ACME-", invoice_grace=timedelta(days=2))
    await change(db, merchant, name="Acme Billing", settings=settings)
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await run_billing(db, events, merchant.id, now=clock.now())
    # A month later comes the first invoice with usage, which waits for late events.
    clock.advance(datetime(2026, 2, 28, 15, tzinfo=UTC))
    await run_billing(db, events, merchant.id, now=clock.now())
    async with db.reading(merchant.id) as tx:
        [first, draft] = await invoices.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=10, after=None
        )

    assert first.number == "ACME-000001"
    assert (first.seller["name"], first.seller["tax_id"]) == ("Acme Billing", None)
    assert draft.finalizes_at == clock.now() + timedelta(days=2)


@pytest.mark.spec("INV-1")
async def test_fewer_invoices_a_day__park_who_would_get_more(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    await change(db, merchant, settings=SettingsChange(max_invoices_per_customer_per_day=1))
    await shop.subscribe(await shop.sign_up("acme"), 1)
    # Three months slept through: three invoices on one day, of which one is allowed.
    clock.advance(datetime(2026, 5, 1, tzinfo=UTC))
    got = await run_billing(db, events, merchant.id, now=clock.now())

    assert (got.invoices, got.parked) == (1, 1)


@pytest.mark.spec("DSL-5")
async def test_new_zone__is_that_of_later_customers_without_one(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    async def sign_up(name: str) -> str:
        async with db.writing(merchant.id) as tx:
            made = await create_customer(
                tx,
                clock,
                signing_up(name, external_id=name, time_zone=None),
            )
        return made.time_zone

    before = await sign_up("before")
    await change(db, merchant, time_zone="Asia/Kathmandu")

    assert (before, await sign_up("after")) == ("UTC", "Asia/Kathmandu")


@pytest.mark.spec("EVT-9")
async def test_longer_lateness__is_what_a_fresh_book_says(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    directory = Directory(db, clock)
    before = (await directory.book(merchant.id)).lateness
    await change(db, merchant, settings=SettingsChange(event_lateness=timedelta(days=60)))
    directory.forget(merchant.id)

    assert before == timedelta(days=35)
    assert (await directory.book(merchant.id)).lateness == timedelta(days=60)


@pytest.mark.spec("ENT-10")
async def test_merchant_from_before_there_was_a_policy__has_the_default_one(
    db: Postgres, merchant: TestMerchant
) -> None:
    async with db.writing(merchant.id) as tx:
        await tx.execute(
            """
            UPDATE merchant SET settings = settings - 'past_due_policy' WHERE merchant_id = $1
            """,
            merchant.id,
        )
    got = await change(db, merchant, name="Old")

    assert got.settings.past_due_policy == PastDuePolicy(
        grace=timedelta(days=7), then=PastDueAction.BLOCK
    )
