"""What credit given by hand or bought does to checks, beside what the plan grants (ENT-4, CRD-9, CRD-10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from candela.catalog.v1 import feature_pb2

from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.model import Answer, Denial, Snapshot
from candela_server.entitlement.rules.allowance import decide
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from demo.team_plan import team_plan
from tests.conftest import TestMerchant
from tests.helpers.billing import Books
from tests.helpers.crediting import PREMIUM, give
from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot
from tests.integration.billing.test_top_ups import order

CHEAP = "cheap-messages"


@pytest_asyncio.fixture(loop_scope="session")
async def books(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> AsyncIterator[Books]:
    """Sells 50 premium messages, and no cheap ones, as hard limits without any credit."""
    request = team_plan("team")
    del request.credit_definitions[:]
    del request.prices[0].components[1:]
    for granted in request.features:
        if granted.new_feature.slug == PREMIUM:
            granted.value.CopyFrom(feature_pb2.FeatureValue(number="50"))
    shop = Shop(db, clock, merchant.id)
    async with db.writing(merchant.id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(request))
    yield Books(shop, events)


async def snapshot_of(books: Books, holder: Customer) -> Snapshot:
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        return await build_snapshot(tx, books.shop.clock, CustomerById(holder.id))


async def check(books: Books, holder: Customer, slug: str, used: int) -> Answer:
    state = (await snapshot_of(books, holder)).features[slug]
    return decide(state, used=Decimal(used), quantity=Decimal(1))


@pytest.mark.spec("ENT-4", "CRD-10")
async def test_gift_beside_a_limit__comes_on_top_and_is_used_after_it(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    before = await check(books, holder, PREMIUM, 50)
    await give(books.shop, holder, "10")

    got = [await check(books, holder, PREMIUM, used) for used in (30, 50, 55, 60)]

    assert before.denial is Denial.LIMIT_REACHED
    assert [one.usage.limit for one in got if one.usage] == [60, 60, 60, 60]
    assert [one.credits_remaining for one in got] == [10, 10, 5, 0]
    assert [one.entitled for one in got] == [True, True, True, False]


@pytest.mark.spec("ENT-4", "CRD-9")
async def test_pack_that_is_not_paid__grants_nothing_and_its_payment_grants_the_feature(
    books: Books,
) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    before = await check(books, holder, CHEAP, 0)
    _, invoice = await order(books, holder, "500", "75", feature=CHEAP)
    ordered = await check(books, holder, CHEAP, 0)
    await books.pay(invoice)
    paid = await check(books, holder, CHEAP, 0)

    assert before == ordered
    assert not ordered.entitled
    assert (paid.entitled, paid.credits_remaining) == (True, 500)


@pytest.mark.spec("CRD-10", "ENT-8")
async def test_gift_that_begins_later__ends_what_is_remembered_as_it_begins(books: Books) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    begins_at = shop.clock.now() + timedelta(hours=5)
    await give(shop, holder, "10", effective_at=begins_at)
    before = await check(books, holder, PREMIUM, 55)
    remembered = await snapshot_of(books, holder)
    shop.clock.advance(begins_at)

    assert remembered.valid_until == begins_at
    assert not before.entitled
    assert (await check(books, holder, PREMIUM, 55)).entitled
