"""Packs that are bought by themselves count what is left as a check does: a number comes before credits (CRD-9, ENT-4).

A pack is bought when fewer than 20 are left.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import feature_pb2

from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.rules.allowance import decide
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.override_feature import SetFeatureOverride, set_feature_override

from demo.team_plan import team_plan
from tests.conftest import TestMerchant
from tests.helpers.billing import Books
from tests.helpers.crediting import PREMIUM, give
from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot
from tests.integration.billing.test_top_ups import buy_by_itself, look


async def sell(shop: Shop, *, number: str | None) -> None:
    """A plan with so many premium messages as its limit, or with 100 as credits."""
    request = team_plan("team")
    if number is not None:
        del request.credit_definitions[:]
        del request.prices[0].components[1:]
        for granted in request.features:
            if granted.new_feature.slug == PREMIUM:
                granted.value.CopyFrom(feature_pb2.FeatureValue(number=number))
    async with shop.db.writing(shop.merchant_id) as tx:
        await create_plan(tx, shop.clock, create_plan_from_proto(request))


async def left_by_check(shop: Shop, holder: Customer, used: int) -> Decimal:
    """What a check says is left."""
    async with shop.db.reading(shop.merchant_id) as tx:
        snapshot = await build_snapshot(tx, shop.clock, CustomerById(holder.id))
    answer = decide(snapshot.features[PREMIUM], used=Decimal(used), quantity=Decimal(1))
    assert answer.usage is not None
    assert answer.usage.limit is not None
    return answer.usage.limit - used


@pytest.mark.spec("CRD-9", "ENT-4")
@pytest.mark.parametrize(("used", "bought"), [(30, 0), (90, 0), (130, 0), (131, 1)])
async def test_plan_s_number_beside_a_gift__is_used_up_before_a_pack_is_bought(
    db: Postgres,
    events: EventStore,
    clock: FixedClock,
    merchant: TestMerchant,
    used: int,
    bought: int,
) -> None:
    shop = Shop(db, clock, merchant.id)
    books = Books(shop, events)
    await sell(shop, number="50")
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await give(shop, holder, "100")
    await buy_by_itself(books, holder, threshold="20")
    await books.use(holder, str(used))

    # 50 + 100 − 130 = 20
    assert await left_by_check(shop, holder, used) == 150 - used
    assert await look(books) == bought


@pytest.mark.spec("CRD-9", "SUB-8")
@pytest.mark.parametrize(("used", "bought"), [(10, 0), (11, 1)])
async def test_number_that_overrides_the_plan_s_credits__is_all_that_is_left_of_the_plan(
    db: Postgres,
    events: EventStore,
    clock: FixedClock,
    merchant: TestMerchant,
    used: int,
    bought: int,
) -> None:
    shop = Shop(db, clock, merchant.id)
    books = Books(shop, events)
    await sell(shop, number=None)
    holder = await shop.sign_up("acme")
    held = await shop.subscribe(holder, 1)
    async with db.writing(merchant.id) as tx:
        await set_feature_override(
            tx,
            clock,
            SetFeatureOverride(
                subscription_id=held.id,
                feature=BySlug(PREMIUM),
                value=Decimal(30),
                expires_at=None,
                reason="tests",
            ),
        )
    await buy_by_itself(books, holder, threshold="20")
    await books.use(holder, str(used))

    assert await left_by_check(shop, holder, used) == 30 - used
    assert await look(books) == bought
