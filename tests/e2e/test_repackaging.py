"""S1's promise: "Your CRO … wants it on the free plan with a 7-day trial", and no client code changes (CAT-8).

`may_open_analytics` is the client code: written once, asked before and after every decision of the CRO.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.catalog.v1 import (
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
    plan_version_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.customer.v1 import customer_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.subscription.v1 import feature_override_pb2, subscription_pb2, subscription_service_pb2

from demo.team_plan import sign_up, usd
from tests.helpers.moving_clocks import advance
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

ANALYTICS = "advanced-analytics"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
WEEK = timedelta(days=7)


def may_open_analytics(candela: Client, user_id: str) -> bool:
    """The application: `if (await isFeatureEntitled({ feature: "advanced-analytics", userId: user.id }))`."""
    return candela.is_feature_entitled(ANALYTICS, user_id=user_id)


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only, so that its slugs are S1's own words; it sells Free and Pro."""
    made = create_merchant_by_command(dict(live_server.server.environment), "S1")
    with Client(live_server.address, made["secret_key"]) as client:
        dashboard = feature_pb2.NewFeature(
            slug="dashboard", name="Dashboard", type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
        analytics = feature_pb2.NewFeature(
            slug=ANALYTICS, name="Advanced analytics", type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
        sell(client, "free", "0", plan_pb2.PlanFeatureInput(new_feature=dashboard))
        sell(
            client,
            "pro",
            "49",
            granted("dashboard"),
            plan_pb2.PlanFeatureInput(new_feature=analytics),
        )
        yield client


def granted(slug: str) -> plan_pb2.PlanFeatureInput:
    return plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug=slug))


def sell(
    candela: Client, slug: str, amount: str, *features: plan_pb2.PlanFeatureInput
) -> plan_service_pb2.CreatePlanResponse:
    flat = price_terms_pb2.FlatCharge(unit_price=usd(amount))
    monthly = price_pb2.PriceComponent(
        name=slug.capitalize(),
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule="FREQ=MONTHLY",
        charge=price_terms_pb2.ChargeModel(flat=flat),
    )
    return candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=slug,
            name=slug.capitalize(),
            features=features,
            prices=[plan_pb2.NewPrice(currency="USD", components=[monthly])],
            message="As the company began",
        )
    )


def take(
    candela: Client, plan: str, clock_id: str | None = None
) -> tuple[str, subscription_pb2.Subscription]:
    """A new user whose company takes the plan; how the application knows the user, and the subscription."""
    user_id = fresh("user")
    customer = sign_up(candela, fresh("company"), {user_id: "Ada"}, clock_id)
    request = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=customer.id), plan=plan_pb2.PlanRef(slug=plan)
    )
    return user_id, candela.subscriptions.CreateSubscription(request).subscription


def move_to_free(candela: Client) -> plan_pb2.PlanVersion:
    """What the CRO does: a draft, a look at what differs, a publication."""
    free = plan_pb2.PlanRef(slug="free")
    before = candela.plans.GetPlan(plan_service_pb2.GetPlanRequest(plan=free)).version
    draft = candela.plans.CreatePlanVersion(
        plan_version_pb2.CreatePlanVersionRequest(
            plan=free,
            features=[granted("dashboard"), granted(ANALYTICS)],
            message="Advanced analytics drives conversions",
        )
    ).version
    differences = candela.plans.DiffPlanVersions(
        plan_version_pb2.DiffPlanVersionsRequest(
            from_plan_version_id=before.id, to_plan_version_id=draft.id
        )
    ).differences
    assert [(one.path, one.before, one.after) for one in differences] == [
        ("features[advanced-analytics].value", "", "true")
    ]
    return candela.plans.PublishPlanVersion(
        plan_version_pb2.PublishPlanVersionRequest(plan_version_id=draft.id)
    ).version


@pytest.mark.spec("CAT-8", "CAT-3", "CAT-9")
def test_cro_moves_advanced_analytics_to_the_free_plan__and_no_client_code_changes(
    candela: Client,
) -> None:
    early_free, held = take(candela, "free")
    pro, _ = take(candela, "pro")
    before = [may_open_analytics(candela, user) for user in (early_free, pro)]

    published = move_to_free(candela)
    late_free, held_late = take(candela, "free")
    after = [may_open_analytics(candela, user) for user in (early_free, pro, late_free)]
    history = candela.plans.ListPlanVersions(
        plan_version_pb2.ListPlanVersionsRequest(plan=plan_pb2.PlanRef(slug="free"))
    ).versions

    assert before == [False, True]
    # Who is on the free plan already stays on the version that was bought; new customers get the new one.
    assert after == [False, True, True]
    assert held.plan_version_id == history[0].id
    assert held_late.plan_version_id == published.id == history[1].id
    assert [(one.number, one.message) for one in history] == [
        (1, "As the company began"),
        (2, "Advanced analytics drives conversions"),
    ]


@pytest.mark.spec("CAT-8", "ENT-3")
def test_existing_free_customer_tries_it_for_7_days__and_it_ends_by_itself(candela: Client) -> None:
    created = test_clock_service_pb2.CreateTestClockRequest(name="seven days")
    created.now_at.FromDatetime(START)
    clock_id = candela.test_clocks.CreateTestClock(created).test_clock.id
    user, held = take(candela, "free", clock_id)
    move_to_free(candela)
    before = may_open_analytics(candela, user)

    trial = feature_override_pb2.SetFeatureOverrideRequest(
        subscription_id=held.id,
        feature=feature_pb2.FeatureRef(slug=ANALYTICS),
        value=feature_pb2.FeatureValue(boolean=True),
        reason="7-day trial of advanced analytics",
    )
    trial.expires_at.FromDatetime(START + WEEK)
    candela.subscriptions.SetFeatureOverride(trial)
    on_trial = may_open_analytics(candela, user)
    advance(candela, clock_id, START + WEEK - timedelta(seconds=1))
    at_the_end = may_open_analytics(candela, user)
    advance(candela, clock_id, START + WEEK)
    afterwards = may_open_analytics(candela, user)

    assert [before, on_trial, at_the_end, afterwards] == [False, True, True, False]
