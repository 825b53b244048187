"""What is sold in the demo: the plan "Team" of the S1 scenario, in one call (CAT-1, DSL-9)."""

from __future__ import annotations

from datetime import datetime

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
from candela.customer.v1 import customer_pb2, customer_service_pb2, user_service_pb2
from candela.subscription.v1 import subscription_pb2, subscription_service_pb2
from candela.type.v1 import money_pb2

SEAT_PRICE = "30"
MESSAGES = {
    # event → feature, included per seat and month, price beyond that
    "premium-message": ("premium-messages", "100", "0.20"),
    "cheap-message": ("cheap-messages", "1000", "0.02"),
}


def usd(amount: str) -> money_pb2.Money:
    """An amount of dollars."""
    return money_pb2.Money(currency="USD", amount=amount)


def team_plan(slug: str) -> plan_service_pb2.CreatePlanRequest:
    """Seats at $30 a month; each brings 100 premium and 1,000 cheap messages; $0.20 and $0.02 beyond."""
    monthly = "FREQ=MONTHLY"
    seats = price_pb2.PriceComponent(
        name="Seat",
        kind=price_pb2.COMPONENT_KIND_PER_UNIT,
        recurrence_rule=monthly,
        timing=price_pb2.BILLING_TIMING_IN_ADVANCE,
        charge=price_terms_pb2.ChargeModel(
            flat=price_terms_pb2.FlatCharge(unit_price=usd(SEAT_PRICE))
        ),
        seats=price_pb2.SeatTerms(minimum_seats=1),
    )
    usage = [
        price_pb2.PriceComponent(
            name=event.replace("-", " ").capitalize() + "s",
            kind=price_pb2.COMPONENT_KIND_USAGE,
            recurrence_rule=monthly,
            timing=price_pb2.BILLING_TIMING_IN_ARREARS,
            metric=feature,
            charge=price_terms_pb2.ChargeModel(
                flat=price_terms_pb2.FlatCharge(unit_price=usd(overage))
            ),
        )
        for event, (feature, _, overage) in MESSAGES.items()
    ]
    return plan_service_pb2.CreatePlanRequest(
        slug=slug,
        name="Team",
        metrics=[
            metric_pb2.NewMetric(
                slug=feature,
                name=feature.replace("-", " ").capitalize(),
                aggregation=metric_pb2.AGGREGATION_SUM,
                event_names=[event],
                unit_name="messages",
            )
            for event, (feature, _, _) in MESSAGES.items()
        ],
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="advanced-analytics",
                    name="Advanced analytics",
                    type=feature_pb2.FEATURE_TYPE_BOOLEAN,
                )
            ),
            *(
                plan_pb2.PlanFeatureInput(
                    new_feature=feature_pb2.NewFeature(
                        slug=feature,
                        name=feature.replace("-", " ").capitalize(),
                        type=feature_pb2.FEATURE_TYPE_NUMBER,
                        metric=metric_pb2.MetricRef(slug=feature),
                    )
                )
                for feature, _, _ in MESSAGES.values()
            ),
        ],
        prices=[plan_pb2.NewPrice(name="Monthly", currency="USD", components=[seats, *usage])],
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name=f"Included {feature.replace('-', ' ')}",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                feature=feature,
                default_amount=included,
                renew_on_billing=True,
                billing_visible=True,
                basis=credit_definition_pb2.CREDIT_BASIS_SEAT,
            )
            for feature, included, _ in MESSAGES.values()
        ],
    )


def sign_up(
    candela: Client, external_id: str, users: dict[str, str], test_clock_id: str | None = None
) -> customer_pb2.Customer:
    """A customer with users; `users` maps the application's own ids to names."""
    customer = candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(
            name="Initech",
            business_name="Initech, Inc.",
            external_id=external_id,
            email="billing@initech.example",
            address=customer_pb2.Address(
                country="US", region="NY", city="New York", postal_code="10001", lines=["1 Main St"]
            ),
            time_zone="America/New_York",
            test_clock_id=test_clock_id,
        )
    ).customer
    for user_id, name in users.items():
        candela.users.CreateUser(
            user_service_pb2.CreateUserRequest(
                customer=customer_pb2.CustomerRef(id=customer.id), external_id=user_id, name=name
            )
        )
    return customer


def subscribe(
    candela: Client, customer_id: str, plan_slug: str, seats: int, start_at: datetime | None = None
) -> subscription_pb2.Subscription:
    """The customer takes the plan with so many seats."""
    request = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=customer_id),
        plan=plan_pb2.PlanRef(slug=plan_slug),
        seats=str(seats),
    )
    if start_at is not None:
        request.start_at.FromDatetime(start_at)
    return candela.subscriptions.CreateSubscription(request).subscription
