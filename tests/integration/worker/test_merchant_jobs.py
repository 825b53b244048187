"""What the worker does about credits: in real time, and on a test clock as it is advanced (CRD-5, CRD-9, OPS-2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock, SystemClock
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis
from candela_server.worker.advance_test_clock import advance_test_clock
from candela_server.worker.merchant_jobs import buy_top_ups, look_after_credits, reconcile_everyone

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.crediting import give, grant_now, grants_of
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.selling import Shop
from tests.integration.billing.test_top_ups import buy_by_itself, packs
from tests.integration.credit.test_life_of_credits import coming_with
from tests.integration.metering.builders import start_metering

JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)


@pytest.mark.spec("CRD-5", "CRD-9", "CRD-4")
async def test_jobs_over_all_merchants__expire_buy_and_compare(books: Books) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    money = await give(
        shop, holder, "5", currency="USD", expires_at=JANUARY_31 + timedelta(hours=1)
    )
    await books.bill()  # of $30, 5 are paid
    rest = await give(
        shop, holder, "7", currency="USD", expires_at=JANUARY_31 + timedelta(minutes=1)
    )
    await buy_by_itself(books, holder, threshold="101")
    shop.clock.advance(datetime(2026, 2, 28, 15, tzinfo=UTC))
    await books.bill()
    await books.pass_grace()

    for _ in range(2):
        await buy_top_ups(shop.db, books.events, shop.clock)
        await look_after_credits(shop.db, books.events, shop.clock)
        await reconcile_everyone(shop.db)

    assert len(await packs(books)) == 1
    balances = [(await grant_now(shop, one.id)).balance for one in (money, rest)]
    # The second one still paid for the usage of January, of which there was none
    assert balances == [0, 0]


@pytest.mark.spec("OPS-2", "CRD-5")
async def test_test_clock_advanced__renews_and_expires_credits_on_its_way(
    own_database: str, clock: FixedClock, redis: Redis
) -> None:
    db, events = Postgres(own_database, SystemClock()), EventStore(own_database)
    await db.open()
    await events.open()
    made = await create_merchant(db, clock, CreateMerchant(name="Tests", mode=Mode.TEST))
    merchant_id = made.merchant.id
    metering = await start_metering(db, events, clock, redis, merchant_id)
    market = Market(db, events, clock, merchant_id, metering)
    week = timedelta(days=7)
    terms = coming_with(renewal_rule="FREQ=WEEKLY")
    terms.credit_definitions[0].expires_after.FromTimedelta(week)
    await market.sell(fee("49"), calls(flat("1")), request=terms)
    with acting_as(merchant_id):
        async with db.writing(merchant_id) as tx:
            created = await create_test_clock(
                tx, clock, CreateTestClock(now_at=JANUARY_31, name="t")
            )
    clock_id = TestClockId(created.id)
    holder = await market.subscribe(test_clock_id=clock_id)

    with acting_as(merchant_id):
        async with db.writing(merchant_id) as tx:
            target = JANUARY_31 + timedelta(days=30)
            await send_off(tx, clock, AdvanceTestClock(test_clock_id=clock_id, target_at=target))
    await advance_test_clock(db, events, merchant_id, clock_id)

    grants = await grants_of(Shop(db, clock, merchant_id), holder)
    await metering.ingestor.stop()
    await metering.counters.stop()
    await events.close()
    await db.close()
    # Five weeks have begun; the period that ended on 28 February is final since an hour after, so four have expired
    assert [one.effective_at for one in grants] == [JANUARY_31 + week * n for n in range(5)]
    assert [one.balance for one in grants] == [Decimal(0)] * 4 + [Decimal(100)]


@pytest.mark.spec("OPS-2", "CRD-9")
async def test_test_clock_advanced__buys_packs_where_they_are_needed(books: Books) -> None:
    shop = books.shop
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            created = await create_test_clock(
                tx, shop.clock, CreateTestClock(now_at=JANUARY_31, name="t")
            )
    clock_id = TestClockId(created.id)
    real, holder = await shop.sign_up("real"), await shop.sign_up("acme", test_clock_id=clock_id)
    for one in (real, holder):
        await shop.subscribe(one, 1)
        await buy_by_itself(books, one, threshold="101")
    for days in (1, 31):
        with acting_as(shop.merchant_id):
            async with shop.db.writing(shop.merchant_id) as tx:
                target = JANUARY_31 + timedelta(days=days)
                command = AdvanceTestClock(test_clock_id=clock_id, target_at=target)
                await send_off(tx, shop.clock, command)
        await advance_test_clock(shop.db, books.events, shop.merchant_id, clock_id)

    # One waits for its payment, so that no other is bought; whose time is the system's waits for the minute's job.
    [bought] = await packs(books)
    assert (bought.customer_id, bought.finalized_at) == (holder.id, JANUARY_31 + timedelta(0))
