"""Subscriptions to a plan with one usage feature, as what a customer's entitlements rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import (
    CreditApplicationType,
    CreditBasis,
    CreditDefinition,
    CreditDefinitionId,
    CreditScope,
    Feature,
    FeatureId,
    FeatureType,
    FeatureValue,
    LimitBehavior,
    LimitScope,
    PlanFeature,
    PlanVersionId,
)
from candela_server.catalog.price import ComponentKind, PriceId
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import CustomerId
from candela_server.entitlement.model import FeatureState
from candela_server.entitlement.rules.holding import Holding
from candela_server.entitlement.rules.precedence import Access
from candela_server.entitlement.rules.resolve_feature import resolve_feature
from candela_server.subscription.feature_override import FeatureOverride
from candela_server.subscription.model import (
    CollectionMethod,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)

from tests.helpers.builders import EPOCH, METRIC, component, grant, offer, price

CALLS = FeatureId("feat_calls")
ANY_DEFINITION = CreditDefinitionId("crd_calls")


def usage_feature(
    kind: FeatureType = FeatureType.NUMBER, default: FeatureValue = Decimal(0)
) -> Feature:
    """The feature "calls", counted by the metric of the builders."""
    return Feature(
        id=CALLS,
        slug="calls",
        name="Calls",
        description="",
        type=kind,
        default_value=default,
        metric_id=METRIC,
        created_at=EPOCH,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscription's plan says of the feature; `value` None: nothing."""

    value: FeatureValue | None = Decimal(0)
    behavior: LimitBehavior | None = None
    priced: bool = False
    with_credits: bool = False
    scope: LimitScope = LimitScope.CUSTOMER
    access: Access = Access.FULL
    access_until: datetime | None = None
    override: FeatureValue | None = None
    override_until: datetime | None = None
    anchor_at: datetime = EPOCH
    definitions: tuple[CreditDefinitionId, ...] = field(default=(ANY_DEFINITION,))


def holding(name: str, terms: Terms) -> Holding:
    """A subscription under these terms."""
    kind = ComponentKind.USAGE if terms.priced else ComponentKind.FIXED
    sold = offer(price(component(kind, "1")))
    features = (
        ()
        if terms.value is None
        else (
            PlanFeature(
                feature_id=CALLS,
                value=terms.value,
                limit_behavior=terms.behavior,
                limit_scope=terms.scope,
            ),
        )
    )
    definitions = tuple(_definition(one) for one in terms.definitions if terms.with_credits)
    overrides = {}
    if terms.override is not None:
        overrides[CALLS] = FeatureOverride(
            id="fov_1",
            subscription_id=SubscriptionId(name),
            feature_id=CALLS,
            feature_slug="calls",
            value=terms.override,
            expires_at=terms.override_until,
            reason="",
            created_at=EPOCH,
        )
    return Holding(
        subscription=_subscription(name, terms.anchor_at),
        offer=replace(
            sold,
            version=replace(sold.version, features=features),
            credit_definitions=definitions,
        ),
        access=terms.access,
        access_until=terms.access_until,
        overrides=overrides,
    )


def plan_grant(
    name: str, subscription: str, balance: str, *, until: datetime | None, since: datetime = EPOCH
) -> CreditGrant:
    """What a subscription's plan granted."""
    return replace(
        grant(name, balance=balance, effective_at=since, expires_at=until),
        subscription_id=subscription,
        definition_id=ANY_DEFINITION,
    )


def resolved(
    holdings: Sequence[Holding],
    grants: Sequence[CreditGrant] = (),
    *,
    now: datetime = EPOCH,
    feature: Feature | None = None,
) -> FeatureState:
    """The feature of a customer who holds these."""
    metrics = offer(price(component(ComponentKind.USAGE, "1"))).metrics
    return resolve_feature(feature or usage_feature(), holdings, grants, metrics, now)


def _subscription(name: str, anchor_at: datetime) -> Subscription:
    return Subscription(
        id=SubscriptionId(name),
        customer_id=CustomerId("cus_1"),
        currency="USD",
        anchor_at=anchor_at,
        time_zone="UTC",
        collection_method=CollectionMethod.SEND_INVOICE,
        metadata={},
        created_at=anchor_at,
        version=SubscriptionVersion(
            number=1,
            status=Status.ACTIVE,
            plan_id=offer(price()).plan.id,
            plan_version_id=PlanVersionId("plv_1"),
            price_id=PriceId("price_1"),
            quantities={},
            valid_from=anchor_at,
            valid_to=None,
            reason="",
            actor="test",
        ),
    )


def _definition(definition_id: CreditDefinitionId) -> CreditDefinition:
    return CreditDefinition(
        id=definition_id,
        name="Calls",
        scope=CreditScope.PLAN,
        application_type=CreditApplicationType.USAGE,
        plan_id=None,
        plan_version_id=PlanVersionId("plv_1"),
        price_id=None,
        component_id=None,
        feature_id=CALLS,
        metric_id=METRIC,
        default_amount=Decimal(100),
        refill_amount=Decimal(100),
        currency=None,
        renew_on_billing=True,
        renewal_rule=None,
        billing_visible=True,
        basis=CreditBasis.CUSTOMER,
        expires_after=None,
        rollover_cap=Decimal(0),
        priority=0,
        created_at=EPOCH,
    )
