"""What a draft is filled with: named features and credits, or copies of what the current version has (CAT-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import definition_store, read, version_store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .model import (
    CreditApplicationType,
    CreditDefinition,
    CreditDefinitionId,
    Feature,
    FeatureId,
    Plan,
    PlanFeature,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
)
from .rules.credit_shape import check_credit_pays


async def begin_draft(
    tx: Tx, clock: Clock, plan: Plan, features: tuple[PlanFeature, ...], message: str
) -> PlanVersion:
    """A new draft of a plan that is locked, without credits yet; its author is the caller."""
    draft = PlanVersion(
        id=PlanVersionId(new_id("plv")),
        plan_id=plan.id,
        number=await version_store.next_number(tx, plan.id),
        status=PlanVersionStatus.DRAFT,
        features=features,
        message=message,
        author=tx.caller.actor if tx.caller else "system",
        created_at=clock.now(),
        published_at=None,
    )
    await version_store.insert_draft(tx, draft)
    return draft


async def features_of_current(tx: Tx, plan: Plan) -> tuple[PlanFeature, ...]:
    """What the version on sale grants, for its copy; archived features are left out: new versions may not have them."""
    if plan.current_version_id is None:
        return ()
    current = await read.get_plan_version(tx, plan.current_version_id)
    in_use = await features_in_use(tx)
    return tuple(granted for granted in current.features if granted.feature_id in in_use)


async def copy_credits_of_current(tx: Tx, clock: Clock, plan: Plan, draft: PlanVersion) -> None:
    """Copies the credits of the version on sale into a draft, but for those of features that it does not grant."""
    if plan.current_version_id is None:
        return
    features = await features_in_use(tx)
    granted = {one.feature_id for one in draft.features}
    for definition in await read.list_credit_definitions(tx, plan.current_version_id):
        if definition.feature_id is None or definition.feature_id in granted:
            await definition_store.insert_credit_definition(
                tx, _copied(definition, draft, features, clock)
            )


async def add_credits(
    tx: Tx,
    clock: Clock,
    draft: PlanVersion,
    credits: Sequence[NewCreditDefinition],
) -> None:
    """Adds credits to a draft. Raises InvalidInput for those that could cover or pay for nothing."""
    by_slug = await granted_by_slug(tx, draft)
    with FieldViolations() as fields:
        covered = [
            fields.read(f"credit_definitions[{index}]", covered_feature, new, by_slug)
            for index, new in enumerate(credits)
        ]
    prices = await read.list_prices_on_sale(tx, draft.plan_id)
    with FieldViolations() as fields:
        for index, (new, feature) in enumerate(zip(credits, covered, strict=True)):
            fields.read(
                f"credit_definitions[{index}]",
                check_credit_pays,
                application_type=new.application_type,
                scope=new.scope,
                currency=new.currency,
                metric_id=feature.metric_id if feature else None,
                prices=prices,
            )
    for new, feature in zip(credits, covered, strict=True):
        await create_credit_definition(tx, clock, new, version=draft, feature=feature)


def covered_feature(new: NewCreditDefinition, by_slug: Mapping[str, Feature]) -> Feature | None:
    """The feature whose allowance a credit is; None for money. `by_slug` is what its version grants.

    Raises InvalidInput.
    """
    if new.application_type is not CreditApplicationType.USAGE:
        return None
    with FieldViolations() as fields:
        feature = by_slug.get(new.feature_slug or "")
        if feature is None:
            fields.add(
                "feature",
                f"the plan version grants no feature {new.feature_slug!r}; add it to features",
                Reason.FEATURE_NOT_FOUND,
            )
        elif feature.metric_id is None:
            fields.add("feature", f"feature {feature.slug!r} has no metric that could be covered")
    return feature


async def granted_by_slug(tx: Tx, draft: PlanVersion) -> dict[str, Feature]:
    """The features in use that a draft grants."""
    features = await features_in_use(tx)
    granted = [features[one.feature_id] for one in draft.features if one.feature_id in features]
    return {feature.slug: feature for feature in granted}


async def features_in_use(tx: Tx) -> dict[FeatureId, Feature]:
    """The features that new plan versions may grant."""
    return {
        feature.id: feature
        for feature in await read.list_features(tx)
        if feature.archived_at is None
    }


def _copied(
    definition: CreditDefinition,
    draft: PlanVersion,
    features: Mapping[FeatureId, Feature],
    clock: Clock,
) -> CreditDefinition:
    # A feature may be counted by another metric since; credits that offset one component keep that one's.
    follows = definition.feature_id is not None and definition.component_id is None
    return replace(
        definition,
        id=CreditDefinitionId(new_id("cdef")),
        plan_version_id=draft.id,
        metric_id=features[definition.feature_id].metric_id
        if follows and definition.feature_id is not None
        else definition.metric_id,
        created_at=clock.now(),
    )
