"""A test merchant stands on a test clock as a whole (OPS-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from candela_server.customer.model import Customer
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant import read as merchants
from candela_server.merchant import store as merchant_store
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import (
    LiveModeError,
    Merchant,
    TestClockId,
)
from candela_server.merchant.model import TestClock as Clock
from candela_server.merchant.model import TestClockNotFoundError as NoClockError
from candela_server.merchant.model import TestClockStatus as ClockStatus
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant
from candela_server.metering.read_usage import GetUsage, get_usage
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Status
from candela_server.worker.advance_test_clock import advance_test_clock

from tests.conftest import TestMerchant
from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.selling import Shop


async def make_clock(shop: Shop, at: datetime) -> TestClockId:
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            made = await create_test_clock(tx, shop.clock, CreateTestClock(now_at=at, name="t"))
    return made.id


async def stand_on(db: Postgres, merchant_id: str, clock_id: TestClockId | None) -> Merchant:
    async def no_problem(*_: object) -> None:
        return None

    command = UpdateMerchant(
        name=None, time_zone=None, settings=SettingsChange(), expected_version=None
    )
    async with db.writing(merchant_id) as tx:
        return await update_merchant(tx, no_problem, replace(command, test_clock_id=clock_id or ""))


@pytest.mark.spec("OPS-2")
async def test_customers_of_a_merchant_on_a_clock__are_all_on_it_unless_they_bring_their_own(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    whole, own = [await make_clock(shop, clock.now() + timedelta(days=d)) for d in (400, 800)]
    earlier = await shop.sign_up("earlier")
    await stand_on(db, merchant.id, whole)
    inherits = await shop.sign_up("inherits")
    brings = await shop.sign_up("brings", test_clock_id=own)
    after = await stand_on(db, merchant.id, None)
    later = await shop.sign_up("later")

    assert [one.test_clock_id for one in (earlier, inherits, brings, later)] == [
        None,
        whole,
        own,
        None,
    ]
    assert after.test_clock_id is None
    assert inherits.created_at == clock.now() + timedelta(days=400)


@pytest.mark.spec("OPS-2", "KEY-2")
async def test_live_merchant__stands_on_no_clock_and_puts_nobody_on_one(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    live = await create_merchant(db, clock, CreateMerchant(name="Live", mode=Mode.LIVE))
    foreign = await make_clock(Shop(db, clock, merchant.id), clock.now())
    with pytest.raises(LiveModeError):
        await stand_on(db, live.merchant.id, foreign)
    with pytest.raises(LiveModeError):
        await Shop(db, clock, live.merchant.id).sign_up("acme", test_clock_id=foreign)
    with pytest.raises(NoClockError):
        await stand_on(db, merchant.id, TestClockId("tck_00000000000000000000000000"))
    with pytest.raises(Exception, match="merchant_check"):
        async with db.writing(live.merchant.id) as tx:
            await tx.execute(
                "UPDATE merchant SET test_clock_id = $2 WHERE merchant_id = $1",
                live.merchant.id,
                foreign,
            )


@pytest.mark.spec("OPS-2", "INV-1")
async def test_clock_of_the_merchant_advanced__everything_of_all_of_them_is_done_in_time_order(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    """Customers who joined on different days: their invoices alternate, as the days do, and so do their numbers."""
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    books, begun_at = Books(shop, events), clock.now()
    whole = await make_clock(shop, begun_at)
    await stand_on(db, merchant.id, whole)
    by_real_time = await Shop(db, clock, merchant.id).sign_up("a")
    holders: list[Customer] = [by_real_time]
    await shop.subscribe(by_real_time, 1)
    for day, name in ((3, "b"), (9, "c")):
        await advance(shop, books, whole, begun_at + timedelta(days=day))
        holders.append(await shop.sign_up(name))
        await shop.subscribe(holders[-1], 1)
    arrived = await advance(shop, books, whole, begun_at + timedelta(days=70))

    assert (arrived.status, arrived.now_at) == (
        ClockStatus.READY,
        begun_at + timedelta(days=70),
    )
    invoices = sorted(await books.invoices(), key=lambda one: one.number or "")
    names = {one.id: one.name for one in holders}
    made = [(one.finalized_at, names[one.customer_id]) for one in invoices]
    assert [name for _, name in made] == ["a", "b", "c"] * 3
    assert [at for at, _ in made] == sorted(at for at, _ in made if at is not None)
    # Real time did not move, and nobody is on it.
    assert clock.now() == begun_at


async def advance(shop: Shop, books: Books, clock_id: TestClockId, to: datetime) -> Clock:
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            wanted = AdvanceTestClock(test_clock_id=clock_id, target_at=to)
            await send_off(tx, shop.clock, wanted)
    await advance_test_clock(shop.db, books.events, shop.merchant_id, clock_id)
    async with shop.db.reading(shop.merchant_id) as tx:
        return await merchants.get_test_clock(tx, clock_id)


@pytest.mark.spec("OPS-2", "EVT-8")
async def test_usage_of_everyone__is_by_default_of_the_month_that_the_merchant_is_in(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    await stand_on(db, merchant.id, await make_clock(shop, datetime(2031, 5, 9, tzinfo=UTC)))
    found = await get_usage(
        db, events, merchant.id, clock, GetUsage(who=None, metrics=(), window=None)
    )

    assert (found.window.start_at, found.window.end_at) == (
        datetime(2031, 5, 1, tzinfo=UTC),
        datetime(2031, 6, 1, tzinfo=UTC),
    )


@pytest.mark.spec("OPS-2", "INV-7", "ENT-10")
async def test_invoice_due_at_once_on_a_clock__is_past_due_where_the_clock_rests(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    books, whole = Books(shop, events), await make_clock(shop, clock.now())
    async with db.writing(merchant.id) as tx:
        found = await merchants.get_merchant(tx, lock=True)
        settings = replace(found.settings, payment_terms_days=0)
        await merchant_store.update_merchant(
            tx, replace(found, settings=settings, test_clock_id=whole)
        )
    held = await shop.subscribe(await shop.sign_up("acme"), 1)
    await advance(shop, books, whole, clock.now() + timedelta(days=1))
    async with db.reading(merchant.id) as tx:
        now = await subscription.get_subscription(tx, held.id)

    assert now.version.status is Status.PAST_DUE
