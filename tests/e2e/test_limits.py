"""Hard, soft and overage limits beside one another, and what overrides change of them (ENT-3, ENT-4, D6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_pb2
from candela.subscription.v1 import feature_override_pb2, subscription_service_pb2

from demo.team_plan import sign_up, usd
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

KINDS = {
    # slug of the feature: how the plan says what happens at its limit of 3; "priced" has a usage component
    "default": feature_pb2.LIMIT_BEHAVIOR_UNSPECIFIED,
    "hard": feature_pb2.LIMIT_BEHAVIOR_HARD,
    "soft": feature_pb2.LIMIT_BEHAVIOR_SOFT,
    "priced": feature_pb2.LIMIT_BEHAVIOR_UNSPECIFIED,
    "priced-hard": feature_pb2.LIMIT_BEHAVIOR_HARD,
}


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only, who sells each kind of limit in one plan."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Limits")
    flat = price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd("0.10")))
    with Client(live_server.address, made["secret_key"]) as client:
        client.plans.CreatePlan(
            plan_service_pb2.CreatePlanRequest(
                slug="limits",
                name="Limits",
                metrics=[
                    metric_pb2.NewMetric(
                        slug=slug,
                        name=slug,
                        aggregation=metric_pb2.AGGREGATION_SUM,
                        event_names=[slug],
                    )
                    for slug in KINDS
                ],
                features=[
                    plan_pb2.PlanFeatureInput(
                        new_feature=feature_pb2.NewFeature(
                            slug=slug,
                            name=slug,
                            type=feature_pb2.FEATURE_TYPE_NUMBER,
                            metric=metric_pb2.MetricRef(slug=slug),
                        ),
                        value=feature_pb2.FeatureValue(number="3"),
                        limit_behavior=behavior,
                    )
                    for slug, behavior in KINDS.items()
                ],
                prices=[
                    plan_pb2.NewPrice(
                        currency="USD",
                        components=[
                            price_pb2.PriceComponent(
                                name=slug,
                                kind=price_pb2.COMPONENT_KIND_USAGE,
                                recurrence_rule="FREQ=MONTHLY",
                                timing=price_pb2.BILLING_TIMING_IN_ARREARS,
                                metric=slug,
                                charge=flat,
                            )
                            for slug in ("priced", "priced-hard")
                        ],
                    )
                ],
            )
        )
        yield client


def user_with_plan(candela: Client) -> tuple[str, str]:
    """A user's id, and the subscription of the user's customer."""
    user = fresh("user")
    customer = sign_up(candela, f"x-{user}", {user: "Ada"})
    held = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id), plan=plan_pb2.PlanRef(slug="limits")
        )
    ).subscription
    return user, held.id


@pytest.mark.spec("ENT-4", "ENT-6")
@pytest.mark.parametrize(
    ("slug", "beyond", "behavior"),
    [
        ("default", False, feature_pb2.LIMIT_BEHAVIOR_HARD),
        ("hard", False, feature_pb2.LIMIT_BEHAVIOR_HARD),
        ("soft", True, feature_pb2.LIMIT_BEHAVIOR_SOFT),
        ("priced", True, feature_pb2.LIMIT_BEHAVIOR_OVERAGE),
        ("priced-hard", False, feature_pb2.LIMIT_BEHAVIOR_HARD),
    ],
)
def test_limit_of_three__at_and_beyond_it(
    candela: Client, slug: str, beyond: bool, behavior: int
) -> None:
    user, _ = user_with_plan(candela)

    candela.send_event(slug, value="2", user_id=user)
    fits = candela.check_feature(slug, user_id=user).entitlement
    candela.send_event(slug, value="1.5", user_id=user)
    got = candela.check_feature(slug, user_id=user).entitlement

    assert (fits.entitled, fits.usage.remaining, fits.usage.overage) == (True, "1", "0")
    assert (got.entitled, got.usage.used, got.usage.remaining) == (beyond, "3.5", "0")
    assert (got.usage.overage, got.usage.limit_behavior) == ("0.5", behavior)
    assert got.denial_reason == (
        entitlement_pb2.DENIAL_REASON_UNSPECIFIED
        if beyond
        else entitlement_pb2.DENIAL_REASON_LIMIT_REACHED
    )


@pytest.mark.spec("ENT-3", "SUB-8")
def test_override_of_a_limit__counts_instead_of_the_plan_until_it_is_removed(
    candela: Client,
) -> None:
    user, held = user_with_plan(candela)
    candela.send_event("hard", value="3", user_id=user)
    refused = candela.check_feature("hard", user_id=user).entitlement
    hard = feature_pb2.FeatureRef(slug="hard")

    request = feature_override_pb2.SetFeatureOverrideRequest(
        subscription_id=held,
        feature=hard,
        value=feature_pb2.FeatureValue(number="10"),
        reason="a gesture",
    )
    request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(days=7))
    candela.subscriptions.SetFeatureOverride(request)
    raised = candela.check_feature("hard", user_id=user).entitlement
    candela.subscriptions.RemoveFeatureOverride(
        feature_override_pb2.RemoveFeatureOverrideRequest(subscription_id=held, feature=hard)
    )
    again = candela.check_feature("hard", user_id=user).entitlement

    assert refused.source == entitlement_pb2.ENTITLEMENT_SOURCE_PLAN
    assert (raised.entitled, raised.usage.limit, raised.usage.remaining) == (True, "10", "7")
    assert raised.source == entitlement_pb2.ENTITLEMENT_SOURCE_OVERRIDE
    assert raised.valid_until.ToDatetime(UTC) == request.expires_at.ToDatetime(UTC)
    assert not again.entitled
    assert [refused.entitled, again.usage.limit] == [False, "3"]
