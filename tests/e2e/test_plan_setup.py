"""S3's worked example, "Freemium to Enterprise", in its own words and in as few calls as possible.

Four calls set everything up: one per plan, with its features, metric, prices and credits, and one for the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import (
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    pricing_table_pb2,
    pricing_table_service_pb2,
)
from candela.customer.v1 import customer_pb2, customer_service_pb2, user_service_pb2
from candela.subscription.v1 import subscription_service_pb2
from candela.type.v1 import money_pb2

from tests.helpers.freemium import REPORTS, enterprise_plan, fixed, free_plan, pro_plan
from tests.helpers.servers import LiveServer, create_merchant_by_command

SALES = "https://example.com/contact-sales?plan=enterprise"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the four calls made, and who may read it."""

    candela: Client
    publishable_key: str
    free: plan_service_pb2.CreatePlanResponse
    pro: plan_service_pb2.CreatePlanResponse
    enterprise: plan_service_pb2.CreatePlanResponse
    table: pricing_table_pb2.PricingTable


@pytest.fixture(scope="module")
def setup(live_server: LiveServer) -> Iterator[Setup]:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "S3")
    with Client(live_server.address, merchant["secret_key"]) as candela:
        free = candela.plans.CreatePlan(free_plan())
        pro = candela.plans.CreatePlan(pro_plan())
        enterprise = candela.plans.CreatePlan(enterprise_plan())
        table = candela.pricing_tables.CreatePricingTable(
            pricing_table_service_pb2.CreatePricingTableRequest(
                slug="pricing",
                name="Pricing page",
                rows=[
                    pricing_table_pb2.PricingTableRow(plan_id=free.plan.id),
                    pricing_table_pb2.PricingTableRow(plan_id=pro.plan.id, popular=True),
                    pricing_table_pb2.PricingTableRow(
                        plan_id=enterprise.plan.id, enterprise_redirect_url=SALES
                    ),
                ],
            )
        )
        yield Setup(
            candela=candela,
            publishable_key=merchant["publishable_key"],
            free=free,
            pro=pro,
            enterprise=enterprise,
            table=table.pricing_table,
        )


def shown_price(price: price_pb2.Price, *amounts: tuple[str, str]) -> pricing_table_pb2.PublicPrice:
    return pricing_table_pb2.PublicPrice(
        price_id=price.id,
        currency=price.currency,
        display_amounts=[
            price_pb2.DisplayAmount(
                amount=money_pb2.Money(currency=price.currency, amount=amount), per=per
            )
            for amount, per in amounts
        ],
    )


def public_table(setup: Setup, address: str) -> pricing_table_pb2.PublicPricingTable:
    """The table as a page reads it, with the publishable key."""
    with Client(address, setup.publishable_key) as page:
        return page.pricing_tables.GetPublicPricingTable(
            pricing_table_service_pb2.GetPublicPricingTableRequest(slug="pricing")
        ).pricing_table


@pytest.mark.spec("PUB-1", "CAT-1", "CAT-4", "CAT-6", "CAT-7", "DSL-8")
def test_free_pro_and_enterprise__are_shown_field_by_field(
    setup: Setup, live_server: LiveServer
) -> None:
    got = public_table(setup, live_server.address)

    number = feature_pb2.FeatureValue
    monthly, yearly, euro = setup.pro.prices
    want = pricing_table_pb2.PublicPricingTable(
        slug="pricing",
        plans=[
            pricing_table_pb2.PublicPlan(
                plan_id=setup.free.plan.id,
                slug="free",
                name="Free",
                description="For trying out",
                free=True,
                prices=[shown_price(setup.free.prices[0], ("0", "month"))],
                features=[
                    pricing_table_pb2.PublicFeature(
                        slug="projects", name="Projects", value=number(number="3")
                    ),
                    pricing_table_pb2.PublicFeature(
                        slug="api-calls",
                        name="API calls",
                        value=number(number="0"),
                        credit_allowance="100",
                    ),
                ],
            ),
            pricing_table_pb2.PublicPlan(
                plan_id=setup.pro.plan.id,
                slug="pro",
                name="Pro",
                description="For teams",
                popular=True,
                prices=[
                    shown_price(monthly, ("49", "month"), ("12.5", "month per seat")),
                    shown_price(yearly, ("490", "year")),
                    shown_price(euro, ("45", "month")),
                ],
                features=[
                    pricing_table_pb2.PublicFeature(
                        slug="advanced-reports",
                        name="Advanced reports",
                        value=feature_pb2.FeatureValue(boolean=True),
                    ),
                    pricing_table_pb2.PublicFeature(
                        slug="projects", name="Projects", value=number(number="50")
                    ),
                    pricing_table_pb2.PublicFeature(
                        slug="api-calls",
                        name="API calls",
                        value=number(number="0"),
                        credit_allowance="10000",
                    ),
                ],
            ),
            pricing_table_pb2.PublicPlan(
                plan_id=setup.enterprise.plan.id,
                slug="enterprise",
                name="Enterprise",
                description="For organizations",
                is_enterprise_plan=True,
                enterprise_redirect_url=SALES,
                features=[
                    pricing_table_pb2.PublicFeature(
                        slug="advanced-reports",
                        name="Advanced reports",
                        value=feature_pb2.FeatureValue(boolean=True),
                    ),
                    pricing_table_pb2.PublicFeature(
                        slug="projects", name="Projects", value=number(number="1000000")
                    ),
                ],
            ),
        ],
    )
    # A trial of Pro may have been added by the test of trials.
    for plan in got.plans:
        plan.ClearField("trial_days")
    assert got == want
    assert setup.free.plan.free
    assert not setup.pro.plan.free


@pytest.mark.spec("CAT-1", "ENT-3", "ENT-4", "SUB-2")
def test_features_are_gated_by_what_was_set_up__not_by_plan(setup: Setup) -> None:
    for plan in ("free", "pro"):
        customer = setup.candela.customers.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(name=plan, external_id=f"on-{plan}")
        ).customer
        who = customer_pb2.CustomerRef(id=customer.id)
        setup.candela.users.CreateUser(
            user_service_pb2.CreateUserRequest(customer=who, external_id=f"user-on-{plan}")
        )
        setup.candela.subscriptions.CreateSubscription(
            subscription_service_pb2.CreateSubscriptionRequest(
                customer=who, plan=plan_pb2.PlanRef(slug=plan)
            )
        )

    candela = setup.candela
    assert not candela.is_feature_entitled("advanced-reports", user_id="user-on-free")
    assert candela.is_feature_entitled("advanced-reports", user_id="user-on-pro")
    candela.send_event("api-calls", value=100, user_id="user-on-free")
    candela.send_event("api-calls", value=100, user_id="user-on-pro")
    # Free's 100 are used up and nothing sells more; Pro has 9,900 left and sells more beyond.
    assert not candela.is_feature_entitled("api-calls", user_id="user-on-free")
    assert candela.is_feature_entitled("api-calls", user_id="user-on-pro")


@pytest.mark.spec("CAT-7", "PUB-1")
def test_negotiated_private_price__is_never_on_the_page(
    setup: Setup, live_server: LiveServer
) -> None:
    customer = setup.candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Big", external_id="big")
    ).customer
    request = enterprise_plan()
    request.slug, request.name = "enterprise-big", "Enterprise for Big"
    request.prices.add(
        currency="USD",
        components=[fixed("Negotiated", "12345", "FREQ=YEARLY")],
        private_customer_id=customer.id,
    )
    made = setup.candela.plans.CreatePlan(request)
    setup.candela.pricing_tables.CreatePricingTable(
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="negotiated",
            name="Negotiated",
            rows=[pricing_table_pb2.PricingTableRow(plan_id=made.plan.id)],
        )
    )
    with Client(live_server.address, setup.publishable_key) as page:
        got = page.pricing_tables.GetPublicPricingTable(
            pricing_table_service_pb2.GetPublicPricingTableRequest(slug="negotiated")
        ).pricing_table

    other = setup.candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Other", external_id="other")
    ).customer
    buy = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=other.id),
        plan=plan_pb2.PlanRef(slug="enterprise-big"),
        price_id=made.prices[0].id,
    )
    with pytest.raises(grpc.RpcError) as caught:
        setup.candela.subscriptions.CreateSubscription(buy)
    buy.idempotency_key, buy.customer.id = "", customer.id
    bought = setup.candela.subscriptions.CreateSubscription(buy).subscription

    assert failure_of(caught.value).reason == "ERROR_REASON_PRICE_NOT_FOUND"
    assert bought.customer_id == customer.id
    assert made.prices[0].private_customer_id == customer.id
    assert [plan.slug for plan in got.plans] == ["enterprise-big"]
    assert not got.plans[0].prices
    assert "12345" not in str(got)


@pytest.mark.spec("TRL-1", "TRL-3", "PUB-1")
def test_trial_linked_to_pro__is_shown_on_its_parent(setup: Setup, live_server: LiveServer) -> None:
    """Needs trial plans: CreatePlan with is_trial_plan (TRL-1)."""
    setup.candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="pro-trial",
            name="Pro trial",
            is_trial_plan=True,
            trial_parent_plan=plan_pb2.PlanRef(id=setup.pro.plan.id),
            trial_days=14,
            features=[plan_pb2.PlanFeatureInput(existing=REPORTS)],
            prices=[plan_pb2.NewPrice(currency="USD", components=[fixed("Trial", "0")])],
        )
    )
    got = public_table(setup, live_server.address)

    assert [(plan.slug, plan.trial_days) for plan in got.plans] == [
        ("free", 0),
        ("pro", 14),
        ("enterprise", 0),
    ]
