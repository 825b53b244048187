"""One subscription's own value of a feature: set, replaced, expired, removed (SUB-8, ENT-3, CAT-8)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog.create_feature import FeatureTypeMismatchError
from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.catalog.model import FeatureValue
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.model import FeatureState, Source
from candela_server.kernel.errors import InvalidInput
from candela_server.subscription import read
from candela_server.subscription.model import (
    Subscription,
    SubscriptionId,
    SubscriptionNotFoundError,
)
from candela_server.subscription.override_feature import (
    RemoveFeatureOverride,
    SetFeatureOverride,
    remove_feature_override,
    set_feature_override,
)

from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot

WEEK = timedelta(days=7)


async def override(
    shop: Shop,
    subscription_id: str,
    slug: str,
    value: FeatureValue,
    lasting: timedelta | None = None,
) -> None:
    async with shop.db.writing(shop.merchant_id) as tx:
        await set_feature_override(
            tx,
            shop.clock,
            SetFeatureOverride(
                subscription_id=SubscriptionId(subscription_id),
                feature=BySlug(slug),
                value=value,
                expires_at=shop.clock.now() + lasting if lasting is not None else None,
                reason="asked for by sales",
            ),
        )


async def remove(shop: Shop, held: Subscription, slug: str) -> None:
    async with shop.db.writing(shop.merchant_id) as tx:
        await remove_feature_override(
            tx,
            shop.clock,
            RemoveFeatureOverride(subscription_id=held.id, feature=BySlug(slug), reason=""),
        )


async def look(shop: Shop, customer: Customer, slug: str) -> tuple[FeatureState, str | None]:
    async with shop.db.reading(shop.merchant_id) as tx:
        snapshot = await build_snapshot(tx, shop.clock, CustomerById(customer.id))
    found = snapshot.features[slug]
    return found, snapshot.subscription_of(found)


async def state(shop: Shop, customer: Customer, slug: str) -> FeatureState:
    return (await look(shop, customer, slug))[0]


@pytest.mark.spec("SUB-8", "ENT-3")
async def test_override_set_and_removed__hides_the_plan_and_gives_it_back(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)

    await override(shop, held.id, "advanced-analytics", False)
    hidden = await state(shop, customer, "advanced-analytics")
    await remove(shop, held, "advanced-analytics")
    await remove(shop, held, "advanced-analytics")
    given_back = await state(shop, customer, "advanced-analytics")

    assert (hidden.value, hidden.source) == (False, Source.OVERRIDE)
    assert (given_back.value, given_back.source) == (True, Source.PLAN)


@pytest.mark.spec("ENT-3")
async def test_override_for_a_week__ends_by_itself_at_that_instant(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)
    await override(shop, held.id, "advanced-analytics", False, WEEK)
    end = shop.clock.now() + WEEK

    before = await state(shop, customer, "advanced-analytics")
    shop.clock.advance(end)
    after = await state(shop, customer, "advanced-analytics")

    assert (before.source, before.valid_until) == (Source.OVERRIDE, end)
    assert (after.value, after.source) == (True, Source.PLAN)


@pytest.mark.spec("SUB-8")
async def test_override_set_again__replaces_the_earlier_one_and_leaves_history(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)

    await override(shop, held.id, "advanced-analytics", False)
    await override(shop, held.id, "advanced-analytics", True, WEEK)

    async with shop.db.reading(shop.merchant_id) as tx:
        [got] = await read.list_overrides(tx, [held.id])
        rows = await tx.fetchval(
            "SELECT count(*) FROM feature_override WHERE merchant_id = $1", shop.merchant_id
        )
        trace = await tx.fetchrow(
            """
            SELECT before, after, reason FROM audit_entry
            WHERE merchant_id = $1 AND action = 'feature_override.set' ORDER BY id DESC LIMIT 1
            """,
            shop.merchant_id,
        )
    assert got.value is True
    assert rows == 2
    assert trace is not None
    assert (trace["before"]["value"], trace["after"]["value"]) == (False, True)
    assert trace["reason"] == "asked for by sales"


@pytest.mark.spec("ENT-3")
async def test_override_of_one_of_two_subscriptions__the_more_generous_wins(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    first = await shop.subscribe(customer, 1)
    second = await shop.subscribe(customer, 1, allow_duplicate=True)

    await override(shop, first.id, "advanced-analytics", False)
    got, decided_by = await look(shop, customer, "advanced-analytics")

    assert (got.value, decided_by) == (True, second.id)


@pytest.mark.spec("SUB-8")
async def test_override_that_cannot_be__is_refused_by_name(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)

    with pytest.raises(FeatureTypeMismatchError):
        await override(shop, held.id, "advanced-analytics", Decimal(1))
    with pytest.raises(FeatureNotFoundError):
        await override(shop, held.id, "no-such-thing", True)
    with pytest.raises(SubscriptionNotFoundError):
        await override(shop, "sub_" + "0" * 26, "advanced-analytics", True)
    with pytest.raises(InvalidInput) as refused:
        await override(shop, held.id, "advanced-analytics", True, -WEEK)
    assert [one.field for one in refused.value.violations] == ["expires_at"]
