"""Makes a whole plan in one transaction, all of it or nothing (CAT-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import draft_terms, read, store, version_store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .create_metric import NewMetric, create_metric
from .create_price import NewPrice, create_price
from .errors import PlanNotFoundError
from .granted_features import GrantedFeature, find_or_create_features, plan_features
from .model import (
    CreditDefinition,
    Feature,
    Metric,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
    TrialTerms,
)
from .new_price_references import check_new_price, customers_named
from .price import Price
from .publish_plan_version import publish_draft
from .refs import BySlug, Ref
from .rules.credit_shape import check_credit_pays
from .rules.plan_shape import check_public_prices, check_trial_parent
from .trial_ending import NewTrialEnding, find_trial_ending


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrial:
    """What a trial plan leads to, after how many days, and in what it ends without a payment method (TRL-1, TRL-2)."""

    parent: Ref
    days: int
    ending: NewTrialEnding


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
    trial: NewTrial | None = None


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
    metrics = tuple(
        [
            await create_metric(tx, clock, new, at=f"metrics[{index}]")
            for index, new in enumerate(command.metrics)
        ]
    )
    in_use = await read.metrics_in_use(tx)
    metric_ids = {slug: metric.id for slug, metric in in_use.items()}
    features = await find_or_create_features(tx, clock, command.features, metric_ids)
    _check_references(command, in_use, await customers_named(tx, command.prices), features)
    trial = await _trial_terms(tx, command)

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
        trial=trial,
        created_at=now,
    )
    await store.insert_plan(tx, plan)
    await version_store.insert_draft(tx, version)
    made = [await create_price(tx, clock, plan.id, new, metric_ids) for new in command.prices]
    by_slug = {feature.slug: feature for feature in features}
    _check_credits_pay(command, [price for price, _ in made], by_slug)
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
            "trial_parent_plan_id": trial.parent_plan_id if trial else None,
            "trial_days": trial.days if trial else None,
            "trial_end_behavior": trial.ending.behavior if trial else None,
            "trial_end_plan_id": trial.ending.free_plan_id if trial else None,
        },
        reason=command.message or None,
    )
    await tx.catalog_grew()
    return CreatedPlan(
        plan=plan,
        version=version,
        prices=tuple(price for price, _ in made),
        features=tuple(features),
        metrics=metrics,
        credit_definitions=tuple(definitions),
        warnings=tuple(text for _, warnings in made for text in warnings),
    )


async def _trial_terms(tx: Tx, command: CreatePlan) -> TrialTerms | None:
    """Where a trial leads to (TRL-1); None for a plan that is none. Raises InvalidInput."""
    if command.trial is None:
        return None
    with FieldViolations() as fields:
        field, ref = "trial_parent_plan", command.trial.parent
        if ref == BySlug(command.slug):
            raise InvalidInput("must be another plan, not the trial itself", field=field)
        try:
            parent = await read.get_plan(tx, ref)
        except PlanNotFoundError as error:
            fields.add(field, error.message, error.reason)
        else:
            fields.read(field, check_trial_parent, parent)
    ending = await find_trial_ending(tx, command.trial.ending)
    return TrialTerms(parent_plan_id=parent.id, days=command.trial.days, ending=ending)


def _check_credits_pay(
    command: CreatePlan, prices: Sequence[Price], by_slug: Mapping[str, Feature]
) -> None:
    """Raises InvalidInput for credits that nothing in the plan's prices could be paid with."""
    with FieldViolations() as fields:
        for index, new in enumerate(command.credit_definitions):
            fields.read(
                f"credit_definitions[{index}]",
                check_credit_pays,
                application_type=new.application_type,
                scope=new.scope,
                currency=new.currency,
                metric_id=by_slug[new.feature_slug].metric_id if new.feature_slug else None,
                prices=prices,
            )


def _check_references(
    command: CreatePlan,
    metrics: Mapping[str, Metric],
    customers: Mapping[CustomerId, Customer],
    features: list[Feature],
) -> None:
    """Raises InvalidInput for every part that names something which is not there."""
    by_slug = {feature.slug: feature for feature in features}
    with FieldViolations() as fields:
        for index, price in enumerate(command.prices):
            fields.read(
                f"prices[{index}]",
                check_new_price,
                price,
                metrics=metrics,
                customers=customers,
                is_enterprise_plan=command.is_enterprise_plan,
            )
        fields.read(
            "prices",
            check_public_prices,
            [
                None if price.private_customer_id else (price.currency, price.cadence)
                for price in command.prices
            ],
        )
        for index, definition in enumerate(command.credit_definitions):
            fields.read(
                f"credit_definitions[{index}]", draft_terms.covered_feature, definition, by_slug
            )
