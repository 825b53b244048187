"""The three tiers of the S3 scenario, with a trial of the middle one."""

from __future__ import annotations

from candela import Client
from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)

from .team_plan import usd

TRIAL_DAYS = 14


def sell(candela: Client, name: str) -> None:
    """Free, Pro, a trial of Pro, and the enterprise plan whose prices are negotiated."""
    calls = f"api-calls-{name}"
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=f"free-{name}",
            name="Free",
            metrics=[
                metric_pb2.NewMetric(
                    slug=calls,
                    name="API calls",
                    aggregation=metric_pb2.AGGREGATION_SUM,
                    event_names=[f"api-call-{name}"],
                    unit_name="calls",
                )
            ],
            features=[
                _new(calls, feature_pb2.FEATURE_TYPE_NUMBER, metric=calls),
            ],
            prices=[_monthly("Free", "0", calls, "0")],
            credit_definitions=[_included(calls, "500")],
        )
    )
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=f"pro-{name}",
            name="Pro",
            features=[
                _new(f"reports-{name}", feature_pb2.FEATURE_TYPE_BOOLEAN),
                plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug=calls)),
            ],
            prices=[_monthly("Pro", "49", calls, "0.002")],
            credit_definitions=[_included(calls, "10000")],
        )
    )
    both = [
        plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug=slug))
        for slug in (f"reports-{name}", calls)
    ]
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=f"pro-trial-{name}",
            name="Pro trial",
            is_trial_plan=True,
            trial_parent_plan=plan_pb2.PlanRef(slug=f"pro-{name}"),
            trial_days=TRIAL_DAYS,
            features=both,
            prices=[_monthly("Pro trial", "0", calls, "0")],
            credit_definitions=[_included(calls, "2000")],
        )
    )
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=f"enterprise-{name}", name="Enterprise", is_enterprise_plan=True, features=both
        )
    )


def negotiated(customer_id: str) -> plan_pb2.NewPrice:
    """What was agreed on with one customer: one monthly amount for everything."""
    return plan_pb2.NewPrice(
        currency="USD", private_customer_id=customer_id, components=[_fee("Enterprise", "400")]
    )


def _new(
    slug: str, kind: feature_pb2.FeatureType, *, metric: str = ""
) -> plan_pb2.PlanFeatureInput:
    feature = feature_pb2.NewFeature(slug=slug, name=slug.rpartition("-")[0], type=kind)
    if metric:
        feature.metric.slug = metric
    return plan_pb2.PlanFeatureInput(new_feature=feature)


def _monthly(name: str, amount: str, metric: str, unit_price: str) -> plan_pb2.NewPrice:
    usage = price_pb2.PriceComponent(
        name="API calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        timing=price_pb2.BILLING_TIMING_IN_ARREARS,
        metric=metric,
        charge=_flat(unit_price),
    )
    return plan_pb2.NewPrice(currency="USD", components=[_fee(name, amount), usage])


def _fee(name: str, amount: str) -> price_pb2.PriceComponent:
    return price_pb2.PriceComponent(
        name=name,
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule="FREQ=MONTHLY",
        timing=price_pb2.BILLING_TIMING_IN_ADVANCE,
        charge=_flat(amount),
    )


def _flat(amount: str) -> price_terms_pb2.ChargeModel:
    return price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd(amount)))


def _included(calls: str, amount: str) -> credit_definition_pb2.NewCreditDefinition:
    return credit_definition_pb2.NewCreditDefinition(
        name="Included API calls",
        scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
        application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
        feature=calls,
        default_amount=amount,
        renew_on_billing=True,
        billing_visible=True,
    )
