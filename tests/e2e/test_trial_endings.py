"""What remains of a trial when nothing is there to pay with, on a test clock, and what checks say (TRL-2, ENT-6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import preview_service_pb2
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.subscription.v1 import (
    scheduled_change_pb2,
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from demo.team_plan import sign_up
from tests.e2e.test_changes import fixed, sell
from tests.e2e.test_migrations import advance
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

CHARGED = subscription_pb2.COLLECTION_METHOD_CHARGE_AUTOMATICALLY
CANCEL = plan_pb2.TRIAL_END_BEHAVIOR_CANCEL
PAUSE = plan_pb2.TRIAL_END_BEHAVIOR_PAUSE
TO_FREE = plan_pb2.TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE


def existing(slug: str) -> plan_pb2.PlanFeatureInput:
    return plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug=slug))


def trial(
    trial_end_behavior: plan_pb2.TrialEndBehavior | None = None,
    trial_end_plan: plan_pb2.PlanRef | None = None,
) -> plan_service_pb2.CreatePlanRequest:
    return plan_service_pb2.CreatePlanRequest(
        slug="trial",
        name="Trial",
        is_trial_plan=True,
        trial_parent_plan=plan_pb2.PlanRef(slug="pro"),
        trial_days=14,
        features=[existing("reports"), existing("support")],
        prices=[plan_pb2.NewPrice(currency="USD", components=[fixed("Trial", "0")])],
        trial_end_behavior=trial_end_behavior,
        trial_end_plan=trial_end_plan,
    )


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant with "pro" at 50 dollars with reports and support, "free" with support only, and a trial of "pro"."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Trying")
    with Client(live_server.address, made["secret_key"]) as client:
        boolean = feature_pb2.FEATURE_TYPE_BOOLEAN
        features = [
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(slug=slug, name=slug, type=boolean)
            )
            for slug in ("reports", "support")
        ]
        sell(client, "pro", "50", *features)
        sell(client, "free", "0", existing("support"))
        yield client


@dataclass(slots=True)
class Trial:
    """A trial of "pro" on a clock of its own, which begins on 1 April 2026, and is charged automatically."""

    candela: Client
    clock_id: str
    customer: customer_pb2.CustomerRef
    id: str

    def end(self) -> None:
        advance(self.candela, self.clock_id, datetime(2026, 4, 16, 12, tzinfo=UTC))

    def read(self) -> subscription_pb2.Subscription:
        request = subscription_service_pb2.GetSubscriptionRequest(subscription_id=self.id)
        return self.candela.subscriptions.GetSubscription(request).subscription

    def check(self, slug: str) -> entitlement_pb2.Entitlement:
        request = entitlement_service_pb2.CheckRequest(customer_id=self.customer.id, feature=slug)
        return self.candela.entitlements.Check(request).entitlement


def begin(
    candela: Client,
    trial_end_behavior: plan_pb2.TrialEndBehavior | None = None,
    trial_end_plan: plan_pb2.PlanRef | None = None,
) -> Trial:
    request = test_clock_service_pb2.CreateTestClockRequest(name="trials")
    request.now_at.FromDatetime(datetime(2026, 4, 1, 12, tzinfo=UTC))
    clock_id = candela.test_clocks.CreateTestClock(request).test_clock.id
    company = fresh("company")
    who = customer_pb2.CustomerRef(id=sign_up(candela, company, {}, clock_id).id)
    begun = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=who,
            plan=plan_pb2.PlanRef(slug="trial"),
            time_zone="UTC",
            collection_method=CHARGED,
            trial_end_behavior=trial_end_behavior,
            trial_end_plan=trial_end_plan,
        )
    ).subscription
    return Trial(candela, clock_id, who, begun.id)


@pytest.mark.spec("TRL-2", "ENT-6")
def test_trial_that_is_canceled__grants_nothing_any_more(candela: Client) -> None:
    made = candela.plans.CreatePlan(trial()).plan
    tried = begin(candela)
    during = tried.check("reports").entitled
    tried.end()

    assert made.trial_end_behavior == CANCEL
    assert during
    assert tried.read().status == subscription_pb2.SUBSCRIPTION_STATUS_CANCELED
    after = tried.check("reports")
    assert (after.entitled, after.denial_reason) == (
        False,
        entitlement_pb2.DENIAL_REASON_NO_ACTIVE_SUBSCRIPTION,
    )


@pytest.mark.spec("TRL-2", "ENT-6", "SUB-6")
def test_trial_that_is_paused__says_so_and_has_no_next_invoice(candela: Client) -> None:
    candela.plans.CreatePlan(trial(trial_end_behavior=PAUSE))
    tried = begin(candela)
    tried.end()
    resume = subscription_change_pb2.ResumeSubscriptionRequest(subscription_id=tried.id)
    with pytest.raises(grpc.RpcError) as caught:
        candela.subscriptions.ResumeSubscription(resume)
    upcoming = candela.previews.PreviewNextInvoice(
        preview_service_pb2.PreviewNextInvoiceRequest(subscription_id=tried.id)
    )

    assert tried.read().status == subscription_pb2.SUBSCRIPTION_STATUS_PAUSED
    after = tried.check("reports")
    assert (after.entitled, after.denial_reason) == (
        False,
        entitlement_pb2.DENIAL_REASON_SUBSCRIPTION_PAUSED,
    )
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert failure_of(caught.value).metadata["spec_ids"] == "PAY-1"
    assert not upcoming.HasField("invoice")


@pytest.mark.spec("TRL-2", "ENT-6", "SUB-5")
def test_trial_that_becomes_free__keeps_what_the_free_plan_grants(candela: Client) -> None:
    candela.plans.CreatePlan(trial())
    free = plan_pb2.PlanRef(slug="free")
    tried = begin(candela, trial_end_behavior=TO_FREE, trial_end_plan=free)
    listing = scheduled_change_pb2.ListScheduledChangesRequest(subscription_id=tried.id)
    [planned] = candela.subscriptions.ListScheduledChanges(listing).scheduled_changes
    tried.end()
    upcoming = candela.previews.PreviewNextInvoice(
        preview_service_pb2.PreviewNextInvoiceRequest(subscription_id=tried.id)
    )

    after = tried.read()
    assert after.status == subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE
    assert planned.trial_end_behavior == TO_FREE
    assert planned.trial_end_plan_id == after.plan_id
    assert tried.check("support").entitled
    assert tried.check("reports").denial_reason == entitlement_pb2.DENIAL_REASON_FEATURE_NOT_IN_PLAN
    assert upcoming.invoice.total.amount == "0"


@pytest.mark.spec("TRL-2", "CAT-1")
def test_downgrade_without_a_free_plan__is_refused_with_field_and_reason(candela: Client) -> None:
    with pytest.raises(grpc.RpcError) as unnamed:
        candela.plans.CreatePlan(trial(trial_end_behavior=TO_FREE))
    with pytest.raises(grpc.RpcError) as paid:
        candela.plans.CreatePlan(
            trial(trial_end_behavior=TO_FREE, trial_end_plan=plan_pb2.PlanRef(slug="pro"))
        )

    for caught in (unnamed, paid):
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [one.field for one in failure_of(caught.value).fields] == ["trial_end_plan"]
    assert "is not free" in failure_of(paid.value).fields[0].description
