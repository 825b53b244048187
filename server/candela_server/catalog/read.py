"""What others may ask about the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import definition_store, price_store, store, version_store
from .errors import (
    CreditDefinitionNotFoundError,
    FeatureNotFoundError,
    MetricNotFoundError,
    PlanNotFoundError,
    PlanNotSoldError,
    PlanVersionNotFoundError,
    PriceNotFoundError,
    PriceNotOfPlanError,
)
from .model import (
    CreditDefinition,
    CreditDefinitionId,
    Feature,
    FeatureId,
    Metric,
    MetricId,
    Offer,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
)
from .price import Price, PriceId
from .refs import ById, BySlug, Ref
from .rules.credit_allowance import comes_with
from .rules.price_on_sale import on_sale, price_for

OfferKey = tuple[PlanVersionId, PriceId]


async def list_metrics(tx: Tx) -> list[Metric]:
    """All metrics, archived ones too: they go on counting."""
    return await store.list_metrics(tx)


async def metrics_in_use(tx: Tx) -> dict[str, Metric]:
    """The metrics that new prices and features may name, by slug; archived ones may not be."""
    return {
        metric.slug: metric for metric in await store.list_metrics(tx) if metric.archived_at is None
    }


async def metric_ids_in_use(tx: Tx) -> dict[str, MetricId]:
    """The same, as ids."""
    return {slug: metric.id for slug, metric in (await metrics_in_use(tx)).items()}


async def list_features(tx: Tx) -> list[Feature]:
    """All features, disabled and archived ones too."""
    return await store.list_features(tx)


async def get_metric(tx: Tx, ref: Ref, *, lock: bool = False) -> Metric:
    """The metric; locked until commit when asked. Raises MetricNotFoundError."""
    found = (
        await store.find_metric(tx, slug=ref.slug, lock=lock)
        if isinstance(ref, BySlug)
        else await store.find_metric(tx, metric_id=ref.id, lock=lock)
    )
    if found is None:
        raise MetricNotFoundError(str(ref))
    return found


async def get_metric_in_use(tx: Tx, ref: Ref) -> Metric:
    """The metric, which new prices and features may name. Raises MetricNotFoundError for archived ones too."""
    found = await get_metric(tx, ref)
    if found.archived_at is not None:
        raise MetricNotFoundError(str(ref), archived=True)
    return found


async def get_feature(tx: Tx, ref: Ref, *, lock: bool = False) -> Feature:
    """The feature; locked until commit when asked. Raises FeatureNotFoundError."""
    found = (
        await store.find_feature(tx, slug=ref.slug, lock=lock)
        if isinstance(ref, BySlug)
        else await store.find_feature(tx, feature_id=ref.id, lock=lock)
    )
    if found is None:
        raise FeatureNotFoundError(str(ref))
    return found


async def get_plan(tx: Tx, ref: Ref, *, lock: bool = False) -> Plan:
    """The plan; with all its versions locked until commit when asked. Raises PlanNotFoundError."""
    found = (
        await store.find_plan(tx, slug=ref.slug)
        if isinstance(ref, BySlug)
        else await store.find_plan(tx, plan_id=ref.id)
    )
    if found is None:
        raise PlanNotFoundError(str(ref))
    if lock:
        await version_store.lock_plan(tx, found.id)
        # Again, in a statement that begins when the lock is held: the first one may show an older current version.
        return await get_plan(tx, ById(found.id))
    return found


async def get_plan_version(tx: Tx, version_id: PlanVersionId, *, lock: bool = False) -> PlanVersion:
    """The version and what it grants; with its plan locked until commit when asked.

    Raises PlanVersionNotFoundError.
    """
    found = await store.list_versions_by_id(tx, [version_id])
    if not found:
        raise PlanVersionNotFoundError(version_id)
    if lock:
        await version_store.lock_plan(tx, found[0].plan_id)
        return await get_plan_version(tx, version_id)
    return found[0]


async def get_price(tx: Tx, price_id: PriceId, *, lock: bool = False) -> Price:
    """The price and its components; locked until commit when asked. Raises PriceNotFoundError."""
    found = await price_store.list_prices_by_id(tx, [price_id], lock=lock)
    if not found:
        raise PriceNotFoundError(price_id)
    return found[0]


async def get_prices(tx: Tx, ids: Sequence[PriceId]) -> dict[PriceId, Price]:
    """The prices with these ids, on sale or not; unknown ids are left out."""
    return {price.id: price for price in await price_store.list_prices_by_id(tx, list(ids))}


async def list_prices_on_sale(tx: Tx, plan_id: PlanId) -> list[Price]:
    """The plan's public prices that are sold now: the latest of each currency and cadence (CAT-5)."""
    return on_sale(await price_store.list_sellable_prices(tx, plan_id))


async def list_credit_definitions(tx: Tx, version_id: PlanVersionId) -> list[CreditDefinition]:
    """The definitions in use that come with a version."""
    return await definition_store.list_credit_definitions(tx, plan_version_ids=[version_id])


async def list_credit_definitions_of(
    tx: Tx, version_ids: Sequence[PlanVersionId]
) -> dict[PlanVersionId, list[CreditDefinition]]:
    """The definitions in use of many versions; an empty list for one that has none."""
    found: dict[PlanVersionId, list[CreditDefinition]] = {one: [] for one in version_ids}
    for definition in await definition_store.list_credit_definitions(
        tx, plan_version_ids=list(version_ids)
    ):
        assert definition.plan_version_id is not None, "selected by it"
        found[definition.plan_version_id].append(definition)
    return found


async def get_credit_definition(tx: Tx, definition_id: CreditDefinitionId) -> CreditDefinition:
    """The definition. Raises CreditDefinitionNotFoundError."""
    found = await definition_store.find_credit_definition(tx, definition_id)
    if found is None:
        raise CreditDefinitionNotFoundError(definition_id)
    return found


async def get_credit_definitions(
    tx: Tx, ids: Sequence[CreditDefinitionId]
) -> dict[CreditDefinitionId, CreditDefinition]:
    """The definitions with these ids, archived ones too; unknown ids are left out."""
    if not ids:
        return {}
    return {one.id: one for one in await definition_store.list_credit_definitions_by_id(tx, ids)}


async def resolve_price(
    tx: Tx, ref: Ref, *, price_id: PriceId | None, currency: str | None, customer_id: str
) -> tuple[Plan, PlanVersion, Price]:
    """What a customer buys who asks for a plan: its current version and a price on sale.

    Without a `price_id` it is the latest price on sale, of `currency` when that is named, else of the merchant's
    default currency if there is one; one that was negotiated with the customer goes before the public ones (CAT-4,
    CAT-5, CAT-7). Raises PlanNotFoundError, PlanNotSoldError, PriceNotFoundError and PriceNotOfPlanError.
    """
    plan = await get_plan(tx, ref)
    if plan.archived_at is not None:
        raise PlanNotSoldError(plan.slug, "it is archived")
    if plan.current_version_id is None:
        raise PlanNotSoldError(plan.slug, "it has no published version")
    version = await get_plan_version(tx, plan.current_version_id)
    if price_id is None:
        prices = await price_store.list_sellable_prices(tx, plan.id, customer_id=customer_id)
        seller = await merchant.get_merchant(tx)
        found = price_for(
            prices,
            customer_id=customer_id,
            currency=currency,
            default_currency=seller.default_currency,
        )
        if found is None:
            raise PlanNotSoldError(plan.slug, f"it has no price in {currency or 'any currency'}")
        return plan, version, found
    price = await get_price(tx, price_id)
    if price.private_customer_id not in (None, customer_id):
        # Another customer's private price must not be told apart from one that does not exist (CAT-7).
        raise PriceNotFoundError(price_id)
    if price.plan_id != plan.id:
        raise PriceNotOfPlanError(price_id, plan.slug)
    if price.archived_at is not None:
        raise PlanNotSoldError(plan.slug, "the price is archived", price_id)
    if price.private_customer_id is None and price not in await list_prices_on_sale(tx, plan.id):
        raise PlanNotSoldError(
            plan.slug, "a newer price of the same currency and cadence is sold instead", price_id
        )
    return plan, version, price


async def get_offer(tx: Tx, version_id: PlanVersionId, price_id: PriceId) -> Offer:
    """All that a subscription to this version at this price needs to know."""
    return (await get_offers(tx, [(version_id, price_id)]))[version_id, price_id]


async def get_offers(tx: Tx, keys: Sequence[OfferKey]) -> dict[OfferKey, Offer]:
    """Many offers, read as sets: a handful of statements however many there are.

    Raises PlanVersionNotFoundError and PriceNotFoundError.
    """
    wanted = set(keys)
    versions = {
        version.id: version
        for version in await store.list_versions_by_id(tx, sorted({key[0] for key in wanted}))
    }
    prices = {
        price.id: price
        for price in await price_store.list_prices_by_id(tx, sorted({key[1] for key in wanted}))
    }
    plans = {
        plan.id: plan
        for plan in await store.list_plans_by_id(
            tx, sorted({version.plan_id for version in versions.values()})
        )
    }
    features: dict[FeatureId, Feature] = {
        feature.id: feature for feature in await store.list_features(tx)
    }
    metrics: dict[MetricId, Metric] = {metric.id: metric for metric in await store.list_metrics(tx)}
    definitions = await list_credit_definitions_of(tx, sorted(versions))
    offers: dict[OfferKey, Offer] = {}
    for version_id, price_id in wanted:
        if version_id not in versions:
            raise PlanVersionNotFoundError(version_id)
        if price_id not in prices:
            raise PriceNotFoundError(price_id)
        version = versions[version_id]
        offers[version_id, price_id] = Offer(
            plan=plans[version.plan_id],
            version=version,
            price=prices[price_id],
            features=features,
            metrics=metrics,
            credit_definitions=tuple(
                definition
                for definition in definitions[version_id]
                if comes_with(definition, prices[price_id])
            ),
        )
    return offers


async def list_plans(
    tx: Tx,
    *,
    limit: int,
    after: tuple[datetime, str] | None = None,
    include_archived: bool = False,
) -> list[Plan]:
    """One page of plans by (created_at, id)."""
    return await store.list_plans(tx, limit=limit, after=after, include_archived=include_archived)
