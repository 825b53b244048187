"""How Candela is told to sell what is sold in the simulated year."""

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

from .sold import Part, Sold

_KINDS = {
    "fixed": price_pb2.COMPONENT_KIND_FIXED,
    "seats": price_pb2.COMPONENT_KIND_PER_UNIT,
    "usage": price_pb2.COMPONENT_KIND_USAGE,
}
_RULES = {"week": "FREQ=WEEKLY", "month": "FREQ=MONTHLY", "year": "FREQ=YEARLY"}


def plan_request(plan: Sold, price: Sold) -> plan_service_pb2.CreatePlanRequest:
    """The plan with its first price, metric, feature and credits."""
    request = plan_service_pb2.CreatePlanRequest(
        slug=plan.slug, name=plan.slug, prices=[new_price(price)]
    )
    if plan.trial is not None:
        request.is_trial_plan, request.trial_days = True, plan.trial.days
        request.trial_parent_plan.slug = plan.trial.parent.slug
    if plan.money is not None:
        request.credit_definitions.append(
            credit_definition_pb2.NewCreditDefinition(
                name="Off",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
                currency=plan.currency,
                default_amount=plan.money,
                renew_on_billing=True,
                billing_visible=True,
                basis=credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
            )
        )
    if plan.usage is not None:
        metric = f"used-{plan.slug}"
        request.metrics.append(
            metric_pb2.NewMetric(
                slug=metric,
                name=metric,
                aggregation=metric_pb2.AGGREGATION_SUM,
                event_names=[metric],
            )
        )
        request.features.append(
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug=metric,
                    name=metric,
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug=metric),
                )
            )
        )
        if plan.credits is not None:
            request.credit_definitions.append(
                credit_definition_pb2.NewCreditDefinition(
                    name="Included",
                    scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                    application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                    feature=metric,
                    default_amount=plan.credits,
                    renew_on_billing=True,
                    billing_visible=True,
                    rollover_cap=plan.rollover_cap or "",
                    basis=credit_definition_pb2.CREDIT_BASIS_SEAT
                    if plan.credits_per_seat
                    else credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
                )
            )
    return request


def new_price(plan: Sold) -> plan_pb2.NewPrice:
    """A plan's price, or another one of it."""

    def money(amount: object) -> money_pb2.Money:
        return money_pb2.Money(currency=plan.currency, amount=str(amount))

    price = plan_pb2.NewPrice(
        currency=plan.currency, components=[_component(plan, part) for part in plan.parts]
    )
    if plan.commitment is not None:
        price.minimum_commitment.amount.CopyFrom(money(plan.commitment))
        price.minimum_commitment.recurrence_rule = _RULES["month"]
    if plan.threshold is not None:
        price.billing_threshold.CopyFrom(money(plan.threshold))
    return price


def _component(plan: Sold, part: Part) -> price_pb2.PriceComponent:
    def money(amount: object) -> money_pb2.Money:
        return money_pb2.Money(currency=plan.currency, amount=str(amount))

    def tiers() -> list[price_terms_pb2.Tier]:
        made = []
        for up_to, unit_price, flat_fee in part.terms:  # type: ignore[misc]
            tier = price_terms_pb2.Tier(unit_price=money(unit_price), flat_fee=money(flat_fee))
            if up_to is not None:
                tier.up_to = up_to
            made.append(tier)
        return made

    charge = price_terms_pb2.ChargeModel(free_units=part.free_units)
    match part.model:
        case "flat":
            charge.flat.unit_price.CopyFrom(money(part.terms[0]))
        case "graduated":
            charge.graduated.tiers.extend(tiers())
        case "volume":
            charge.volume.tiers.extend(tiers())
        case "package":
            charge.package.package_size = str(part.terms[0])
            charge.package.package_price.CopyFrom(money(part.terms[1]))
        case "percent":
            charge.percentage.percent = str(part.terms[0])
    if part.minimum is not None:
        charge.minimum.CopyFrom(money(part.minimum))
    if part.maximum is not None:
        charge.maximum.CopyFrom(money(part.maximum))
    made = price_pb2.PriceComponent(
        name=part.name,
        kind=_KINDS[part.kind],
        recurrence_rule=_RULES[part.every],
        timing=price_pb2.BILLING_TIMING_IN_ARREARS
        if part.arrears
        else price_pb2.BILLING_TIMING_IN_ADVANCE,
        charge=charge,
    )
    if part.kind == "usage":
        made.metric = f"used-{plan.product.slug}"
    if part.kind == "seats":
        made.seats.minimum_seats = part.minimum_seats
        made.seats.included_seats = part.included_seats
        made.seats.bill_immediately = part.bill_immediately
    if part.percent_off is not None:
        made.discounts.append(
            price_terms_pb2.Discount(
                percent=part.percent_off,
                duration=price_terms_pb2.DISCOUNT_DURATION_REPEATING,
                period_count=part.off_periods,
            )
        )
    return made
