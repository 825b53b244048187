"""Features of every type through the generated client: default, plan, override, and values of another type (ENT-1)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import grpc
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2
from candela.subscription.v1 import (
    feature_override_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from tests.e2e.test_changes import fixed
from tests.helpers.servers import LiveServer, create_merchant_by_command

Value = feature_pb2.FeatureValue
BOOLEAN = feature_pb2.FEATURE_TYPE_BOOLEAN
NUMBER = feature_pb2.FEATURE_TYPE_NUMBER
STRING = feature_pb2.FEATURE_TYPE_STRING
BY_DEFAULT = entitlement_pb2.ENTITLEMENT_SOURCE_DEFAULT
BY_PLAN = entitlement_pb2.ENTITLEMENT_SOURCE_PLAN
BY_OVERRIDE = entitlement_pb2.ENTITLEMENT_SOURCE_OVERRIDE

# By type: nothing, the feature's default, the plan's value, an override.
VALUES = {
    BOOLEAN: (Value(boolean=False), Value(boolean=True), Value(boolean=False), Value(boolean=True)),
    NUMBER: (Value(number="0"), Value(number="3"), Value(number="10"), Value(number="2.5")),
    STRING: (Value(text=""), Value(text="email"), Value(text="phone"), Value(text="on site")),
}


@pytest.fixture(scope="module")
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of these tests only."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Types")
    with Client(live_server.address, made["secret_key"]) as client:
        yield client


def sell(
    candela: Client, slug: str, *features: plan_pb2.PlanFeatureInput
) -> plan_service_pb2.CreatePlanResponse:
    price = plan_pb2.NewPrice(currency="USD", components=[fixed("Fee", "1")])
    return candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(slug=slug, name=slug, features=features, prices=[price])
    )


def take(candela: Client, slug: str) -> subscription_pb2.Subscription:
    """A new customer's subscription."""
    holder = candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Acme")
    ).customer
    return candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=holder.id), plan=plan_pb2.PlanRef(slug=slug)
        )
    ).subscription


def answer(
    candela: Client, held: subscription_pb2.Subscription, feature: str
) -> tuple[bool, feature_pb2.FeatureValue, entitlement_pb2.EntitlementSource]:
    request = entitlement_service_pb2.CheckRequest(customer_id=held.customer_id, feature=feature)
    got = candela.entitlements.Check(request).entitlement
    return got.entitled, got.value, got.source


def override(
    candela: Client,
    held: subscription_pb2.Subscription,
    feature: str,
    value: feature_pb2.FeatureValue,
) -> None:
    candela.subscriptions.SetFeatureOverride(
        feature_override_pb2.SetFeatureOverrideRequest(
            subscription_id=held.id, feature=feature_pb2.FeatureRef(slug=feature), value=value
        )
    )


@pytest.mark.spec("ENT-1", "ENT-2", "ENT-3")
@pytest.mark.parametrize("of_type", list(VALUES))
def test_feature_of_each_type__is_its_default_then_the_plan_s_value_then_the_override(
    candela: Client, of_type: feature_pb2.FeatureType
) -> None:
    empty, by_default, by_plan, by_override = VALUES[of_type]
    one, other = f"one-{of_type}", f"other-{of_type}"
    new = feature_pb2.NewFeature(slug=one, name="It", type=of_type, default_value=by_default)
    bare = feature_pb2.NewFeature(slug=other, name="Bare", type=of_type)
    sell(
        candela,
        f"with-{of_type}",
        plan_pb2.PlanFeatureInput(new_feature=new, value=by_plan),
        plan_pb2.PlanFeatureInput(new_feature=bare, value=by_plan),
    )
    sell(candela, f"without-{of_type}")
    has, lacks = take(candela, f"with-{of_type}"), take(candela, f"without-{of_type}")

    planned = of_type is not BOOLEAN  # the plan's false denies what the default allows
    assert answer(candela, has, one) == (planned, by_plan, BY_PLAN)
    assert answer(candela, lacks, one) == (True, by_default, BY_DEFAULT)
    # Without a default of its own it has the empty one of its type.
    assert answer(candela, lacks, other) == (False, empty, BY_DEFAULT)
    override(candela, has, one, by_override)
    assert answer(candela, has, one) == (True, by_override, BY_OVERRIDE)
    override(candela, has, one, empty)
    assert answer(candela, has, one) == (False, empty, BY_OVERRIDE)


@pytest.mark.spec("ENT-1", "CAT-1", "SUB-8")
@pytest.mark.parametrize(("of_type", "other"), list(permutations(VALUES, 2)))
def test_value_of_another_type__is_refused_naming_the_field(
    candela: Client, of_type: feature_pb2.FeatureType, other: feature_pb2.FeatureType
) -> None:
    slug, wrong = f"of-{of_type}-not-{other}", VALUES[other][3]
    new = feature_pb2.NewFeature(slug=slug, name="It", type=of_type)
    sell(candela, slug, plan_pb2.PlanFeatureInput(new_feature=new))
    held = take(candela, slug)
    existing = feature_pb2.FeatureRef(slug=slug)

    with pytest.raises(grpc.RpcError) as planned:
        sell(candela, "again", plan_pb2.PlanFeatureInput(existing=existing, value=wrong))
    with pytest.raises(grpc.RpcError) as overridden:
        override(candela, held, slug, wrong)

    failures = [failure_of(one.value) for one in (planned, overridden)]
    assert {one.reason for one in failures} == {"ERROR_REASON_FEATURE_TYPE_MISMATCH"}
    assert [[field.field for field in one.fields] for one in failures] == [
        ["features[0].value"],
        ["value"],
    ]
