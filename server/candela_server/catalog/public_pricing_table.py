"""Reads what a public page shows of a pricing table (PUB-1): a handful of statements however many plans it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from candela_server.storage.postgres import Tx

from . import definition_store, price_store, pricing_table_store, store
from .model import CreditDefinition, Feature, FeatureId, Plan, PlanId, PlanVersion, PlanVersionId
from .price import Price
from .pricing_table import (
    PricingTable,
    PricingTableNotFoundError,
    PublicFeature,
    PublicPlan,
    PublicPricingTable,
)
from .rules.credit_allowance import credit_allowance
from .rules.current_price import current_prices
from .rules.free_plan import plan_is_free


async def public_pricing_table(tx: Tx, slug: str) -> PublicPricingTable:
    """The table with the plans of it that are on public sale, in its order.

    Left out are plans that are archived or no longer public, that have no published version, and that nobody can buy
    because no public price is on sale; an enterprise plan needs none (CAT-7). Raises PricingTableNotFoundError, also
    for an archived table.
    """
    table = await pricing_table_store.find_pricing_table(tx, slug=slug)
    if table is None or table.archived_at is not None:
        raise PricingTableNotFoundError(slug)
    plans = await _public_plans(tx, table)
    versions = {
        version.plan_id: version
        for version in await store.list_versions_by_id(
            tx, [plan.current_version_id for plan in plans.values() if plan.current_version_id]
        )
    }
    prices = await _current_prices(tx, list(plans))
    features = {feature.id: feature for feature in await store.list_features(tx)}
    definitions = await _definitions(tx, list(versions.values()))
    trial_days = await pricing_table_store.list_trial_days(tx, list(plans))
    shown = []
    for row in table.rows:
        plan = plans.get(row.plan_id)
        if plan is None or not (plan.is_enterprise_plan or prices[plan.id]):
            continue
        version = versions[plan.id]
        shown.append(
            PublicPlan(
                plan=plan,
                row=row,
                free=plan_is_free(prices[plan.id]),
                prices=prices[plan.id],
                features=_features(
                    version, features, definitions.get(version.id, ()), prices[plan.id]
                ),
                trial_days=trial_days.get(plan.id, 0),
            )
        )
    return PublicPricingTable(slug=table.slug, plans=tuple(shown))


async def _public_plans(tx: Tx, table: PricingTable) -> dict[PlanId, Plan]:
    found = await store.list_plans_by_id(tx, [row.plan_id for row in table.rows])
    return {
        plan.id: plan
        for plan in found
        if plan.publicly_visible and plan.archived_at is None and plan.current_version_id
    }


async def _current_prices(tx: Tx, plan_ids: Sequence[PlanId]) -> dict[PlanId, tuple[Price, ...]]:
    ids = await pricing_table_store.list_public_price_ids(tx, plan_ids)
    by_plan: dict[str, list[Price]] = {}
    for price in await price_store.list_prices_by_id(tx, ids):
        by_plan.setdefault(price.plan_id, []).append(price)
    return {plan_id: current_prices(by_plan.get(plan_id, ())) for plan_id in plan_ids}


async def _definitions(
    tx: Tx, versions: Sequence[PlanVersion]
) -> dict[PlanVersionId, list[CreditDefinition]]:
    found: dict[PlanVersionId, list[CreditDefinition]] = {}
    for definition in await definition_store.list_credit_definitions(
        tx, plan_version_ids=[version.id for version in versions]
    ):
        assert definition.plan_version_id is not None, "selected by it"
        found.setdefault(definition.plan_version_id, []).append(definition)
    return found


def _features(
    version: PlanVersion,
    features: Mapping[FeatureId, Feature],
    definitions: Sequence[CreditDefinition],
    prices: Sequence[Price],
) -> tuple[PublicFeature, ...]:
    price_ids = [price.id for price in prices]
    return tuple(
        PublicFeature(
            feature=features[granted.feature_id],
            value=granted.value,
            allowance=credit_allowance(definitions, granted.feature_id, price_ids),
        )
        for granted in version.features
    )
