"""Due dates pass by the worker's minute and on the way of test clocks (ENT-10, OPS-2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.model import Denial
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Status
from candela_server.worker.advance_test_clock import advance_test_clock
from candela_server.worker.merchant_jobs import follow_all_due_dates

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot


async def status(shop: Shop, holder: Customer) -> Status:
    async with shop.db.reading(shop.merchant_id) as tx:
        [held] = await subscription.list_of_customer(tx, holder.id)
    return held.version.status


@pytest.mark.spec("ENT-10", "SUB-7")
async def test_minute_of_the_worker__follows_due_dates_of_every_merchant(
    books: Books,
) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await books.bill()
    await follow_all_due_dates(shop.db, shop.clock)
    in_time = await status(shop, holder)
    shop.clock.advance(shop.clock.now() + timedelta(days=31))
    await follow_all_due_dates(shop.db, shop.clock)

    assert (in_time, await status(shop, holder)) == (Status.ACTIVE, Status.PAST_DUE)


@pytest.mark.spec("ENT-10", "OPS-2")
async def test_test_clock_advanced__passes_the_due_date_and_the_grace(books: Books) -> None:
    shop = books.shop
    db, clock, begun_at = shop.db, shop.clock, shop.clock.now()
    with acting_as(shop.merchant_id):
        async with db.writing(shop.merchant_id) as tx:
            made = await create_test_clock(tx, clock, CreateTestClock(now_at=begun_at, name="t"))
            clock_id = TestClockId(made.id)
    holder = await shop.sign_up("acme", test_clock_id=clock_id)
    await shop.subscribe(holder, 1)
    denials = []
    for days in (29, 31, 38):
        target = begun_at + timedelta(days=days)
        with acting_as(shop.merchant_id):
            async with db.writing(shop.merchant_id) as tx:
                wanted = AdvanceTestClock(test_clock_id=clock_id, target_at=target)
                await send_off(tx, clock, wanted)
        await advance_test_clock(db, books.events, shop.merchant_id, clock_id)
        async with db.reading(shop.merchant_id) as tx:
            snapshot = await build_snapshot(tx, clock, CustomerById(holder.id))
        denials.append(snapshot.features["advanced-analytics"].denial)

    assert denials == [None, None, Denial.SUBSCRIPTION_PAST_DUE]
    assert await status(shop, holder) is Status.PAST_DUE
