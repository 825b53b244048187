"""The plans of S3's worked example, "Freemium to Enterprise", in its own words: one call each."""

from __future__ import annotations

from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.type.v1 import money_pb2

API_CALLS = feature_pb2.FeatureRef(slug="api-calls")
REPORTS = feature_pb2.FeatureRef(slug="advanced-reports")
PROJECTS = feature_pb2.FeatureRef(slug="projects")


def free_plan() -> plan_service_pb2.CreatePlanRequest:
    """$0 fixed, no billed usage; a small allowance so that usage is gated without charging."""
    return plan_service_pb2.CreatePlanRequest(
        slug="free",
        name="Free",
        description="For trying out",
        publicly_visible=True,
        metrics=[
            metric_pb2.NewMetric(
                slug="api-calls",
                name="API calls",
                aggregation=metric_pb2.AGGREGATION_SUM,
                event_names=["api-calls"],
                unit_name="calls",
            )
        ],
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="projects", name="Projects", type=feature_pb2.FEATURE_TYPE_NUMBER
                ),
                value=feature_pb2.FeatureValue(number="3"),
            ),
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="api-calls",
                    name="API calls",
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug="api-calls"),
                )
            ),
        ],
        prices=[plan_pb2.NewPrice(currency="USD", components=[fixed("Free", "0")])],
        credit_definitions=[included("Free API calls", "100")],
    )


def pro_plan() -> plan_service_pb2.CreatePlanRequest:
    """Fixed monthly and yearly, seats, and usage whose first 10,000 calls are included."""
    return plan_service_pb2.CreatePlanRequest(
        slug="pro",
        name="Pro",
        description="For teams",
        publicly_visible=True,
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="advanced-reports",
                    name="Advanced reports",
                    type=feature_pb2.FEATURE_TYPE_BOOLEAN,
                )
            ),
            plan_pb2.PlanFeatureInput(
                existing=PROJECTS, value=feature_pb2.FeatureValue(number="50")
            ),
            plan_pb2.PlanFeatureInput(existing=API_CALLS),
        ],
        prices=[
            plan_pb2.NewPrice(
                name="Pro monthly",
                currency="USD",
                components=[fixed("Pro", "49"), seat("USD", "12.50"), usage("USD", "0.002")],
            ),
            plan_pb2.NewPrice(
                name="Pro yearly",
                currency="USD",
                components=[fixed("Pro", "490", "FREQ=YEARLY"), usage("USD", "0.002")],
            ),
            plan_pb2.NewPrice(
                name="Pro monthly",
                currency="EUR",
                components=[fixed("Pro", "45", currency="EUR"), usage("EUR", "0.0018")],
            ),
        ],
        credit_definitions=[included("Included API Quota", "10000")],
    )


def enterprise_plan() -> plan_service_pb2.CreatePlanRequest:
    """A placeholder: what it costs is negotiated with each customer (CAT-7)."""
    return plan_service_pb2.CreatePlanRequest(
        slug="enterprise",
        name="Enterprise",
        description="For organizations",
        publicly_visible=True,
        is_enterprise_plan=True,
        features=[
            plan_pb2.PlanFeatureInput(existing=REPORTS),
            plan_pb2.PlanFeatureInput(
                existing=PROJECTS, value=feature_pb2.FeatureValue(number="1000000")
            ),
        ],
    )


def fixed(
    name: str, amount: str, rule: str = "FREQ=MONTHLY", *, currency: str = "USD"
) -> price_pb2.PriceComponent:
    """A fixed amount, a month unless said otherwise."""
    return price_pb2.PriceComponent(
        name=name,
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule=rule,
        charge=flat(currency, amount),
    )


def seat(currency: str, amount: str) -> price_pb2.PriceComponent:
    """An amount a month for each of at least one seat."""
    return price_pb2.PriceComponent(
        name="Seat",
        kind=price_pb2.COMPONENT_KIND_PER_UNIT,
        recurrence_rule="FREQ=MONTHLY",
        charge=flat(currency, amount),
        seats=price_pb2.SeatTerms(minimum_seats=1),
    )


def usage(currency: str, amount: str) -> price_pb2.PriceComponent:
    """An amount for each call."""
    return price_pb2.PriceComponent(
        name="API calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        metric="api-calls",
        charge=flat(currency, amount),
    )


def flat(currency: str, amount: str) -> price_terms_pb2.ChargeModel:
    """One price for every unit."""
    return price_terms_pb2.ChargeModel(
        flat=price_terms_pb2.FlatCharge(
            unit_price=money_pb2.Money(currency=currency, amount=amount)
        )
    )


def included(name: str, amount: str) -> credit_definition_pb2.NewCreditDefinition:
    """S3's usage credits: plan scope, renewed on billing, visible there."""
    return credit_definition_pb2.NewCreditDefinition(
        name=name,
        scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
        application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
        feature="api-calls",
        default_amount=amount,
        refill_amount=amount,
        renew_on_billing=True,
        billing_visible=True,
    )
