"""The plan that is left to past-due customers changes, or would be sold no more (ENT-10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog import read as catalog
from candela_server.catalog.archive_plan import ArchivePlan, archive_plan
from candela_server.catalog.archive_plan_version import ArchivePlanVersion, archive_plan_version
from candela_server.catalog.archive_price import archive_price
from candela_server.catalog.create_plan_version import CreatePlanVersion, create_plan_version
from candela_server.catalog.errors import DowngradePlanNeededError
from candela_server.catalog.granted_features import GrantedFeature
from candela_server.catalog.model import LimitScope, Plan, PlanVersion
from candela_server.catalog.publish_plan_version import PublishPlanVersion, publish_plan_version
from candela_server.catalog.refs import BySlug
from candela_server.merchant.model import PastDueAction, PastDuePolicy
from candela_server.storage.postgres import Tx

from tests.helpers.acting import acting_as
from tests.helpers.selling import Shop
from tests.integration.entitlement.test_past_due import (
    WEEK,
    features,
    past_due_customer,
    sell_free_plan,
    set_policy,
)

Act = Callable[[Tx], Awaitable[object]]


@pytest.fixture
async def left(shop: Shop) -> Plan:
    """The free plan, which has three premium messages; the policy leaves it after a week."""
    plan = await sell_free_plan(shop)
    policy = PastDuePolicy(grace=WEEK, then=PastDueAction.DOWNGRADE, downgrade_plan_id=plan.id)
    await set_policy(shop, policy)
    return plan


async def do(shop: Shop, act: Act) -> None:
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            await act(tx)


async def changes_told(shop: Shop) -> int:
    """How many changes of everybody's answers have been written down."""
    async with shop.db.reading(shop.merchant_id) as tx:
        count: int = await tx.fetchval(
            "SELECT count(*) FROM entitlement_change WHERE merchant_id = $1 AND customer_id = ''",
            shop.merchant_id,
        )
    return count


async def next_version(shop: Shop, number: str) -> PlanVersion:
    """A draft of the free plan with so many messages."""
    granted = GrantedFeature(
        feature=BySlug("premium-messages"),
        value=Decimal(number),
        limit_behavior=None,
        limit_scope=LimitScope.CUSTOMER,
    )
    command = CreatePlanVersion(
        plan=BySlug("free"), features=(granted,), credit_definitions=(), message=""
    )
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            return await create_plan_version(tx, shop.clock, command)


@pytest.mark.spec("ENT-10", "ENT-8")
async def test_new_version_of_the_plan_that_is_left__reaches_remembered_answers(
    shop: Shop, left: Plan
) -> None:
    customer = await past_due_customer(shop)
    shop.clock.advance(shop.clock.now() + WEEK + timedelta(hours=1))
    before = (await features(shop, customer))["premium-messages"].value
    draft = await next_version(shop, "9")
    told = await changes_told(shop)
    await do(
        shop,
        lambda tx: publish_plan_version(tx, shop.clock, PublishPlanVersion(version_id=draft.id)),
    )

    assert before == 3
    assert (await features(shop, customer))["premium-messages"].value == 9
    assert await changes_told(shop) == told + 1


@pytest.mark.spec("ENT-10")
async def test_another_plans_version__tells_nobody(shop: Shop) -> None:
    await sell_free_plan(shop)
    draft = await next_version(shop, "9")
    told = await changes_told(shop)
    await do(
        shop,
        lambda tx: publish_plan_version(tx, shop.clock, PublishPlanVersion(version_id=draft.id)),
    )

    assert await changes_told(shop) == told


@pytest.mark.spec("ENT-10")
async def test_end_of_sale_of_the_plan_that_is_left__is_refused_by_name(
    shop: Shop, left: Plan
) -> None:
    async with shop.db.reading(shop.merchant_id) as tx:
        [price] = await catalog.list_prices_on_sale(tx, left.id)
    version_id = left.current_version_id
    assert version_id is not None
    acts: list[Act] = [
        lambda tx: archive_plan(tx, shop.clock, ArchivePlan(plan=BySlug("free"))),
        lambda tx: archive_plan_version(tx, ArchivePlanVersion(version_id=version_id)),
        lambda tx: archive_price(tx, shop.clock, price.id),
    ]
    for act in acts:
        with pytest.raises(DowngradePlanNeededError, match="'free'"):
            await do(shop, act)

    await set_policy(shop, PastDuePolicy(grace=WEEK, then=PastDueAction.BLOCK))
    for act in acts:
        await do(shop, act)
