"""Adds a credit definition to a plan that is sold already (CRD-3).

Published terms never change, so the definition comes with a new version: a copy of the one on sale and the definition,
published at once. Subscriptions begun from now on get it; those that run stay as they are (CAT-3).
"""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.storage.postgres import Tx

from . import draft_terms, read, version_store
from .create_credit_definition import NewCreditDefinition, create_credit_definition
from .errors import PlanArchivedError, PlanVersionNotFoundError, PriceNotOfPlanError
from .keep_downgrade_plan import keep_downgrade_plan
from .model import CreditDefinition, Feature, Plan, PlanVersion
from .price import ComponentId, PriceId
from .publish_plan_version import publish_draft
from .refs import Ref
from .rules.credit_shape import check_credit_pays, narrowed_to
from .version_trace import version_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCreditDefinition:
    """Which plan gets what. `price_id` narrows it to one price, `component_id` to one component of that price."""

    plan: Ref
    price_id: PriceId | None
    component_id: ComponentId | None
    new: NewCreditDefinition


async def add_credit_definition(
    tx: Tx, clock: Clock, command: AddCreditDefinition
) -> CreditDefinition:
    """Adds the definition: to a new version on sale, or to the latest draft of a plan that has none on sale.

    Raises PlanNotFoundError, PlanArchivedError, PlanVersionNotFoundError, PriceNotFoundError, PriceNotOfPlanError and
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
        await keep_downgrade_plan(tx, plan.id)
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
    by_slug = await draft_terms.granted_by_slug(tx, draft)
    with FieldViolations() as fields:
        return fields.read("credit_definition", draft_terms.covered_feature, new, by_slug)


async def _narrowed(
    tx: Tx, plan: Plan, command: AddCreditDefinition, feature: Feature | None
) -> ComponentId | None:
    """The component that is offset, if it is one; what narrows must fit plan and credit. Raises InvalidInput."""
    price = await read.get_price(tx, command.price_id) if command.price_id else None
    if price is not None and price.plan_id != plan.id:
        raise PriceNotOfPlanError(price.id, plan.slug)
    new, metric_id = command.new, feature.metric_id if feature else None
    if price is None:
        with FieldViolations() as fields:
            fields.read(
                "credit_definition",
                check_credit_pays,
                application_type=new.application_type,
                scope=new.scope,
                currency=new.currency,
                metric_id=metric_id,
                prices=await read.list_prices_on_sale(tx, plan.id),
            )
    return narrowed_to(
        application_type=new.application_type,
        scope=new.scope,
        currency=new.currency,
        metric_id=metric_id,
        price=price,
        component_id=command.component_id,
    )
