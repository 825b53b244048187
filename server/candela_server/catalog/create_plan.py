"""Makes a whole plan in one transaction, all of it or nothing (CAT-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import read, store, version_store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .create_metric import NewMetric, create_metric
from .create_price import NewPrice, create_price
from .granted_features import GrantedFeature, find_or_create_features, plan_features
from .model import (
    CreditApplicationType,
    CreditDefinition,
    Feature,
    Metric,
    MetricId,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
)
from .price import Price
from .publish_plan_version import publish_draft


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlan:
    """The whole plan; its parts name one another by slug."""

    slug: str
    name: str
    description: str
    metrics: tuple[NewMetric, ...]
    features: tuple[GrantedFeature, ...]
    prices: tuple[NewPrice, ...]
    credit_definitions: tuple[NewCreditDefinition, ...]
    is_enterprise_plan: bool
    publicly_visible: bool
    metadata: Mapping[str, str]
    keep_draft: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPlan:
    """Everything that was made."""

    plan: Plan
    version: PlanVersion
    prices: tuple[Price, ...]
    features: tuple[Feature, ...]
    metrics: tuple[Metric, ...]
    credit_definitions: tuple[CreditDefinition, ...]
    warnings: tuple[str, ...]


async def create_plan(tx: Tx, clock: Clock, command: CreatePlan) -> CreatedPlan:
    """Makes the plan, its first version, its prices, and the features, metrics and credits that are new.

    Raises SlugTakenError, and InvalidInput whose violations point into the request.
    """
    metrics = tuple([await create_metric(tx, clock, new) for new in command.metrics])
    metric_ids = await read.metric_ids_in_use(tx)
    features = await find_or_create_features(tx, clock, command.features, metric_ids)
    _check_references(command, metric_ids, features)

    now = clock.now()
    plan_id, version_id = PlanId(new_id("plan")), PlanVersionId(new_id("plv"))
    version = PlanVersion(
        id=version_id,
        plan_id=plan_id,
        number=1,
        status=PlanVersionStatus.DRAFT,
        features=plan_features(command.features, features),
        message=command.message,
        author=tx.caller.actor if tx.caller else "system",
        created_at=now,
        published_at=None,
    )
    plan = Plan(
        id=plan_id,
        slug=command.slug,
        name=command.name,
        description=command.description,
        current_version_id=None if command.keep_draft else version_id,
        is_enterprise_plan=command.is_enterprise_plan,
        publicly_visible=command.publicly_visible,
        metadata=command.metadata,
        created_at=now,
    )
    await store.insert_plan(tx, plan)
    await version_store.insert_draft(tx, version)
    made = [await create_price(tx, clock, plan.id, new, metric_ids) for new in command.prices]
    by_slug = {feature.slug: feature for feature in features}
    definitions = [
        await create_credit_definition(
            tx,
            clock,
            new,
            version=version,
            feature=by_slug[new.feature_slug] if new.feature_slug else None,
        )
        for new in command.credit_definitions
    ]
    if not command.keep_draft:
        version = await publish_draft(tx, clock, version)
    await tx.audit(
        "plan.created",
        plan.id,
        after={
            "slug": plan.slug,
            "name": plan.name,
            "plan_version_id": version.id,
            "status": version.status,
            "features": [feature.slug for feature in features],
            "price_ids": [price.id for price, _ in made],
            "credit_definition_ids": [definition.id for definition in definitions],
        },
        reason=command.message or None,
    )
    await tx.entitlements_changed(None)
    return CreatedPlan(
        plan=plan,
        version=version,
        prices=tuple(price for price, _ in made),
        features=tuple(features),
        metrics=metrics,
        credit_definitions=tuple(definitions),
        warnings=tuple(text for _, warnings in made for text in warnings),
    )


def _check_references(
    command: CreatePlan, metric_ids: Mapping[str, MetricId], features: list[Feature]
) -> None:
    """Raises InvalidInput for every part that names something which is not there."""
    by_slug = {feature.slug: feature for feature in features}
    with FieldViolations() as fields:
        for index, price in enumerate(command.prices):
            for number, component in enumerate(price.components):
                slug = component.metric_slug
                if slug is not None and slug not in metric_ids:
                    fields.add(
                        f"prices[{index}].components[{number}].metric",
                        f"no metric {slug!r} in use; add it to metrics, or check the spelling",
                        Reason.METRIC_NOT_FOUND,
                    )
        for index, definition in enumerate(command.credit_definitions):
            path = f"credit_definitions[{index}].feature"
            if definition.application_type is not CreditApplicationType.USAGE:
                continue
            feature = by_slug.get(definition.feature_slug or "")
            if feature is None:
                fields.add(
                    path,
                    f"the plan grants no feature {definition.feature_slug!r}; add it to features",
                    Reason.FEATURE_NOT_FOUND,
                )
            elif feature.metric_id is None:
                fields.add(path, f"feature {feature.slug!r} has no metric that could be covered")
