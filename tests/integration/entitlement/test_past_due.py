"""What a past-due customer keeps, for how long, and what is left afterwards (ENT-10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.type.v1 import money_pb2

from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.model import Plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.model import Denial, FeatureState
from candela_server.merchant import read as merchant_read
from candela_server.merchant import store as merchant_store
from candela_server.merchant.model import MerchantSettings, PastDueAction, PastDuePolicy

from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot

WEEK = timedelta(days=7)


async def past_due_customer(shop: Shop) -> Customer:
    """Holds the plan "team", and owes since now."""
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 2)
    shop.clock.advance(shop.clock.now() + timedelta(days=3))
    async with shop.db.writing(shop.merchant_id) as tx:
        await tx.execute(
            """
            UPDATE subscription_version SET valid_to = $3
            WHERE merchant_id = $1 AND subscription_id = $2
            """,
            shop.merchant_id,
            held.id,
            shop.clock.now(),
        )
        await tx.execute(
            """
            INSERT INTO subscription_version (merchant_id, subscription_id, number, status, plan_id,
                                              plan_version_id, price_id, quantities, valid_from,
                                              reason, actor)
            SELECT merchant_id, subscription_id, 2, 'past_due', plan_id, plan_version_id, price_id,
                   quantities, $3, 'unpaid', 'test'
            FROM subscription_version WHERE merchant_id = $1 AND subscription_id = $2
            """,
            shop.merchant_id,
            held.id,
            shop.clock.now(),
        )
    return customer


async def set_policy(shop: Shop, policy: PastDuePolicy) -> None:
    async with shop.db.writing(shop.merchant_id) as tx:
        found = await merchant_read.get_merchant(tx, lock=True)
        await merchant_store.update_merchant(
            tx, replace(found, settings=MerchantSettings(past_due_policy=policy))
        )


async def features(shop: Shop, customer: Customer) -> dict[str, FeatureState]:
    async with shop.db.reading(shop.merchant_id) as tx:
        return dict((await build_snapshot(tx, shop.clock, CustomerById(customer.id))).features)


async def sell_free_plan(shop: Shop) -> Plan:
    """A free plan that has the premium messages, up to three, and no analytics."""
    free = price_terms_pb2.ChargeModel(
        flat=price_terms_pb2.FlatCharge(unit_price=money_pb2.Money(currency="USD", amount="0"))
    )
    request = plan_service_pb2.CreatePlanRequest(
        slug="free",
        name="Free",
        features=[
            plan_pb2.PlanFeatureInput(
                existing=feature_pb2.FeatureRef(slug="premium-messages"),
                value=feature_pb2.FeatureValue(number="3"),
            )
        ],
        prices=[
            plan_pb2.NewPrice(
                currency="USD",
                components=[
                    price_pb2.PriceComponent(
                        name="Free",
                        kind=price_pb2.COMPONENT_KIND_FIXED,
                        recurrence_rule="FREQ=MONTHLY",
                        charge=free,
                    )
                ],
            )
        ],
    )
    async with shop.db.writing(shop.merchant_id) as tx:
        return (await create_plan(tx, shop.clock, create_plan_from_proto(request))).plan


@pytest.mark.spec("ENT-10")
async def test_past_due__keeps_everything_for_the_grace_and_then_is_blocked_with_the_reason(
    shop: Shop,
) -> None:
    customer = await past_due_customer(shop)
    grace_end = shop.clock.now() + WEEK

    during = (await features(shop, customer))["advanced-analytics"]
    shop.clock.advance(grace_end)
    after = (await features(shop, customer))["advanced-analytics"]

    assert (during.denial, during.valid_until) == (None, grace_end)
    assert (after.value, after.denial) == (False, Denial.SUBSCRIPTION_PAST_DUE)


@pytest.mark.spec("ENT-10")
async def test_policy_downgrade__leaves_the_free_plan_and_none_of_the_paid_credits(
    shop: Shop,
) -> None:
    plan = await sell_free_plan(shop)
    await set_policy(
        shop,
        PastDuePolicy(grace=WEEK, then=PastDueAction.DOWNGRADE, downgrade_plan_id=plan.id),
    )
    customer = await past_due_customer(shop)

    shop.clock.advance(shop.clock.now() + WEEK)
    got = await features(shop, customer)

    assert got["advanced-analytics"].denial is Denial.SUBSCRIPTION_PAST_DUE
    messages = got["premium-messages"]
    assert messages.denial is None
    assert messages.metered is not None
    assert (messages.metered.limit, messages.metered.credits) == (3, None)


@pytest.mark.spec("ENT-10")
async def test_policy_keep__never_takes_anything(shop: Shop) -> None:
    await set_policy(shop, PastDuePolicy(grace=WEEK, then=PastDueAction.KEEP))
    customer = await past_due_customer(shop)

    shop.clock.advance(shop.clock.now() + timedelta(days=60))

    assert (await features(shop, customer))["advanced-analytics"].denial is None
