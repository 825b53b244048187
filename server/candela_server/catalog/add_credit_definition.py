"""Adds a credit definition to a plan that is sold already (CRD-3).

Published terms never change, so the definition comes with a new version: a copy of the one on sale and the definition,
published at once. Subscriptions begun from now on get it; those that run stay as they are (CAT-3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.storage.postgres import Tx

from . import draft_terms, read, version_store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .errors import PlanArchivedError, PlanVersionNotFoundError, PriceNotOfPlanError
from .model import CreditDefinition, CreditScope, Feature, Plan, PlanVersion
from .price import Component, ComponentId, ComponentKind, PriceId
from .publish_plan_version import publish_draft
from .refs import Ref
from .version_trace import version_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCreditDefinition:
    """Which plan gets what. `price_id` and `component_id` narrow it, as its scope says."""

    plan: Ref
    price_id: PriceId | None
    component_id: ComponentId | None
    new: NewCreditDefinition


async def add_credit_definition(
    tx: Tx, clock: Clock, command: AddCreditDefinition
) -> CreditDefinition:
    """Adds the definition: to a new version on sale, or to the latest draft of a plan that has none on sale.

    Raises PlanNotFoundError, PlanArchivedError, PlanVersionNotFoundError, PriceNotFoundError, PriceNotOfPlanError, and
    InvalidInput.
    """
    plan = await read.get_plan(tx, command.plan, lock=True)
    if plan.archived_at is not None:
        raise PlanArchivedError(plan.slug)
    draft = await _draft(tx, clock, plan, command.new.name)
    feature = await _covered(tx, draft, command.new)
    component_id = await _narrowed(tx, plan, command, feature)
    definition = await create_credit_definition(
        tx,
        clock,
        command.new,
        version=draft,
        feature=feature,
        price_id=command.price_id,
        component_id=component_id,
    )
    if plan.current_version_id is not None:
        published = await publish_draft(tx, clock, draft)
        await tx.audit(
            "plan_version.published",
            published.id,
            before={"current_version_id": plan.current_version_id},
            after=await version_trace(tx, published),
            reason=published.message,
        )
    return definition


async def _draft(tx: Tx, clock: Clock, plan: Plan, name: str) -> PlanVersion:
    """Where the definition goes: a copy of the version on sale, or the latest draft where nothing is on sale."""
    if plan.current_version_id is not None:
        features = await draft_terms.features_of_current(tx, plan)
        message = f"Credits {name!r} added"
        draft = await draft_terms.begin_draft(tx, clock, plan, features, message)
        await draft_terms.copy_credits_of_current(tx, clock, plan, draft)
        return draft
    draft_id = await version_store.find_latest_draft(tx, plan.id)
    if draft_id is None:
        raise PlanVersionNotFoundError(f"of plan {plan.slug!r} that is a draft or on sale")
    return await read.get_plan_version(tx, draft_id)


async def _covered(tx: Tx, draft: PlanVersion, new: NewCreditDefinition) -> Feature | None:
    features = await draft_terms.features_in_use(tx)
    by_slug = {
        features[one.feature_id].slug: features[one.feature_id]
        for one in draft.features
        if one.feature_id in features
    }
    with FieldViolations() as fields:
        return fields.read("credit_definition", draft_terms.covered_feature, new, by_slug)


async def _narrowed(
    tx: Tx, plan: Plan, command: AddCreditDefinition, feature: Feature | None
) -> ComponentId | None:
    """The component that is offset, when the scope is one; what narrows must fit the scope. Raises InvalidInput."""
    scope, price_id, component_id = command.new.scope, command.price_id, command.component_id
    narrow = scope in (CreditScope.PRICE, CreditScope.COMPONENT)
    with FieldViolations() as fields:
        if narrow and price_id is None:
            fields.add("price_id", f"must name the price, as the scope is {scope.name}")
        if not narrow and price_id is not None:
            fields.add("price_id", f"must be absent, as the scope is {scope.name}")
        if scope is not CreditScope.COMPONENT and component_id is not None:
            fields.add("price_component_id", f"must be absent, as the scope is {scope.name}")
    if price_id is None:
        return None
    price = await read.get_price(tx, price_id)
    if price.plan_id != plan.id:
        raise PriceNotOfPlanError(price_id, plan.slug)
    if scope is CreditScope.PRICE:
        return None
    return _component(price.components, component_id, feature)


def _component(
    components: Sequence[Component], wanted: ComponentId | None, feature: Feature | None
) -> ComponentId:
    """The named component, or the first usage component that charges for the feature's metric."""
    for component in components:
        if wanted not in (None, component.id) or component.kind is not ComponentKind.USAGE:
            continue
        if feature is None or component.metric_id == feature.metric_id:
            return component.id
    told = (
        f"must be a usage component of the price for the metric of {feature.slug!r}"
        if feature
        else ("must be a usage component of the price")
    )
    raise InvalidInput(told, field="price_component_id")
