"""Makes a whole plan in one transaction, all of it or nothing (CAT-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import read, store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .create_feature import NewFeature, create_feature
from .create_metric import NewMetric, create_metric
from .create_price import NewPrice, create_price
from .errors import FeatureNotFoundError
from .model import (
    CreditApplicationType,
    CreditDefinition,
    Feature,
    FeatureType,
    FeatureValue,
    LimitBehavior,
    LimitScope,
    Metric,
    MetricId,
    Plan,
    PlanFeature,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
)
from .price import Price
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedFeature:
    """A feature that the plan grants: one that exists, or one that is made with it. `value` None: granted in full."""

    feature: Ref | NewFeature
    value: FeatureValue | None
    limit_behavior: LimitBehavior | None
    limit_scope: LimitScope


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
    metric_ids = {metric.slug: metric.id for metric in await read.list_metrics(tx)}
    features = await _features(tx, clock, command, metric_ids)
    _check_references(command, metric_ids, features)

    now = clock.now()
    plan_id, version_id = PlanId(new_id("plan")), PlanVersionId(new_id("plv"))
    status = PlanVersionStatus.DRAFT if command.keep_draft else PlanVersionStatus.PUBLISHED
    version = PlanVersion(
        id=version_id,
        plan_id=plan_id,
        number=1,
        status=status,
        features=tuple(
            PlanFeature(
                feature_id=feature.id,
                value=_granted_value(feature) if granted.value is None else granted.value,
                limit_behavior=granted.limit_behavior,
                limit_scope=granted.limit_scope,
            )
            for granted, feature in zip(command.features, features, strict=True)
        ),
        message=command.message,
        author=tx.caller.actor if tx.caller else "system",
        created_at=now,
        published_at=None if command.keep_draft else now,
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
    await store.insert_plan_version(tx, version)
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


async def _features(
    tx: Tx, clock: Clock, command: CreatePlan, metric_ids: Mapping[str, MetricId]
) -> list[Feature]:
    """The features that the plan grants, in order: found or made."""
    found: list[Feature] = []
    with FieldViolations() as fields:
        for index, granted in enumerate(command.features):
            path = f"features[{index}]"
            if isinstance(granted.feature, NewFeature):
                slug = granted.feature.metric_slug
                if slug is not None and slug not in metric_ids:
                    fields.add(
                        f"{path}.new_feature.metric.slug",
                        f"no metric {slug!r}; add it to metrics, or check the spelling",
                        Reason.METRIC_NOT_FOUND,
                    )
                    continue
                feature = await create_feature(
                    tx, clock, granted.feature, metric_ids[slug] if slug else None
                )
            else:
                try:
                    feature = await read.get_feature(tx, granted.feature)
                except FeatureNotFoundError as error:
                    fields.add(f"{path}.existing", error.message, error.reason)
                    continue
            if granted.value is not None and not feature.type.admits(granted.value):
                fields.add(
                    f"{path}.value",
                    f"feature {feature.slug!r} takes a {feature.type} value",
                    Reason.FEATURE_TYPE_MISMATCH,
                )
            if feature.id in {other.id for other in found}:
                fields.add(path, f"feature {feature.slug!r} is named twice; name it once")
            found.append(feature)
    return found


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
                        f"no metric {slug!r}; add it to metrics, or check the spelling",
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


def _granted_value(feature: Feature) -> FeatureValue:
    """What a plan grants when it names a feature without a value: yes, or the default of numbers and texts."""
    return True if feature.type is FeatureType.BOOLEAN else feature.default_value
