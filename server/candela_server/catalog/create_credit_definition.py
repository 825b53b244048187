"""Adds a credit definition: the recipe for credits that come with a plan (CRD-3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import definition_store
from .model import (
    CreditApplicationType,
    CreditBasis,
    CreditDefinition,
    CreditDefinitionId,
    CreditScope,
    Feature,
    PlanVersion,
)
from .price import ComponentId, PriceId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCreditDefinition:
    """What is granted, when, and what it pays for. `feature_slug` names whose allowance it is."""

    name: str
    scope: CreditScope
    application_type: CreditApplicationType
    feature_slug: str | None
    default_amount: Decimal
    refill_amount: Decimal
    currency: str | None
    renew_on_billing: bool
    renewal_rule: str | None
    billing_visible: bool
    basis: CreditBasis
    expires_after: timedelta | None
    rollover_cap: Decimal
    priority: int


async def create_credit_definition(
    tx: Tx,
    clock: Clock,
    new: NewCreditDefinition,
    *,
    version: PlanVersion,
    feature: Feature | None,
    price_id: PriceId | None = None,
    component_id: ComponentId | None = None,
) -> CreditDefinition:
    """Adds a definition to a plan version; a usage credit covers its feature's metric."""
    definition = CreditDefinition(
        id=CreditDefinitionId(new_id("cdef")),
        name=new.name,
        scope=new.scope,
        application_type=new.application_type,
        # What pays for everything the customer buys belongs to no plan, though it comes with one (CRD-2).
        plan_id=None if new.scope is CreditScope.MERCHANT else version.plan_id,
        plan_version_id=version.id,
        price_id=price_id,
        component_id=component_id,
        feature_id=feature.id if feature else None,
        metric_id=feature.metric_id if feature else None,
        default_amount=new.default_amount,
        refill_amount=new.refill_amount,
        currency=new.currency,
        renew_on_billing=new.renew_on_billing,
        renewal_rule=new.renewal_rule,
        billing_visible=new.billing_visible,
        basis=new.basis,
        expires_after=new.expires_after,
        rollover_cap=new.rollover_cap,
        priority=new.priority,
        created_at=clock.now(),
    )
    await definition_store.insert_credit_definition(tx, definition)
    await tx.audit(
        "credit_definition.created",
        definition.id,
        after={
            "name": definition.name,
            "plan_version_id": version.id,
            "plan_id": definition.plan_id,
            "price_id": definition.price_id,
            "component_id": definition.component_id,
            "scope": definition.scope,
            "application_type": definition.application_type,
            "currency": definition.currency,
            "feature_id": definition.feature_id,
            "default_amount": definition.default_amount,
            "refill_amount": definition.refill_amount,
            "basis": definition.basis,
            "renew_on_billing": definition.renew_on_billing,
            "renewal_rule": definition.renewal_rule,
            "expires_after": str(definition.expires_after) if definition.expires_after else None,
            "rollover_cap": definition.rollover_cap,
        },
    )
    return definition
