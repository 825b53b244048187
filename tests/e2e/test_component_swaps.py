"""Components are swapped and commitments settled through the generated client, with a server and a worker (SUB-6)."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import invoice_line_pb2, invoice_service_pb2, preview_service_pb2
from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_service_pb2,
    price_terms_pb2,
)
from candela.customer.v1 import customer_pb2
from candela.merchant.v1 import audit_service_pb2
from candela.subscription.v1 import (
    scheduled_change_pb2,
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from demo.team_plan import sign_up, usd
from tests.e2e.test_changes import INVOICE_NOW, NOW, Life, fixed
from tests.e2e.test_changes import candela as candela
from tests.e2e.test_changes import life as life
from tests.helpers.names import fresh


def component_of(life: Life) -> price_pb2.PriceComponent:
    request = price_service_pb2.GetPriceRequest(price_id=life.read().price_id)
    return life.candela.prices.GetPrice(request).price.components[0]


def swap(
    life: Life,
    amount: str,
    *,
    proration: subscription_pb2.ProrationBehavior | None = None,
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> subscription_change_pb2.SwapComponentRequest:
    return subscription_change_pb2.SwapComponentRequest(
        subscription_id=life.id,
        price_component_id=component_of(life).id,
        component=fixed("Plus", amount),
        proration=proration,
        reason=reason,
        idempotency_key=idempotency_key,
    )


@pytest.mark.spec("SUB-6", "SUB-3", "AUD-1", "SDK-1")
def test_swap_as_previewed__bills_exactly_that_once_and_leaves_a_history(life: Life) -> None:
    life.go_to(4, 11)
    change = swap(life, "50", proration=INVOICE_NOW, reason="asked for", idempotency_key="once")
    preview = life.candela.previews.PreviewSubscriptionChange(
        preview_service_pb2.PreviewSubscriptionChangeRequest(swap_component=change)
    )
    before = life.read()
    change.preview_token = preview.preview_token
    answers = [life.candela.subscriptions.SwapComponent(change) for _ in range(2)]

    # 20 of 30 days: −20.00 × 20 ÷ 30 + 50.00 × 20 ÷ 30 = −13.33 + 33.33
    assert [one.total.amount for one in preview.invoices] == ["20"]
    assert preview.next_invoice.total.amount == "50"
    assert {one.subscription.version for one in answers} == {2}
    assert life.totals() == ["20", "20"]
    assert component_of(life).name == "Plus"
    was = life.candela.subscriptions.GetSubscription(
        subscription_service_pb2.GetSubscriptionRequest(
            subscription_id=life.id, as_of_at=before.valid_from_at
        )
    ).subscription
    assert was.price_id == before.price_id != life.read().price_id
    [entry] = life.candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(
            subject_id=life.id, action="subscription.component_swapped"
        )
    ).audit_entries
    assert entry.reason == "asked for"
    life.go_to(5, 1)
    assert life.totals() == ["20", "20", "50"]


@pytest.mark.spec("SUB-5", "SUB-6")
def test_scheduled_swap__is_listed_as_it_was_asked_for_and_made_when_due(life: Life) -> None:
    wanted = swap(life, "50")
    planned = life.candela.subscriptions.ScheduleChange(
        scheduled_change_pb2.ScheduleChangeRequest(
            subscription_id=life.id,
            moment=scheduled_change_pb2.CHANGE_MOMENT_NEXT_BILLING,
            swap_component=wanted,
        )
    ).scheduled_change
    listing = scheduled_change_pb2.ListScheduledChangesRequest(subscription_id=life.id)
    [listed] = life.candela.subscriptions.ListScheduledChanges(listing).scheduled_changes
    life.go_to(4, 2)
    life.pay()
    life.go_to(5, 1)

    assert listed == planned
    assert listed.swap_component.price_component_id == wanted.price_component_id
    assert listed.swap_component.component.charge.flat == wanted.component.charge.flat
    assert life.totals() == ["20", "50"]
    assert life.read().version == 2


@pytest.mark.spec("SUB-6")
def test_swap_that_cannot_be__names_the_field(life: Life) -> None:
    euros = swap(life, "50")
    euros.component.charge.flat.unit_price.currency = "EUR"
    nothing = subscription_change_pb2.SwapComponentRequest(subscription_id=life.id)

    found = []
    for request in (euros, nothing):
        with pytest.raises(grpc.RpcError) as caught:
            life.candela.subscriptions.SwapComponent(request)
        failure = failure_of(caught.value)
        found.append((failure.code, failure.reason, [one.field for one in failure.fields]))
    bad = grpc.StatusCode.INVALID_ARGUMENT
    assert found[0] == (bad, "ERROR_REASON_CURRENCY_MISMATCH", ["component"])
    assert found[1][0] is bad
    assert {"price_component_id", "component"} <= set(found[1][2])


@pytest.mark.spec("SUB-6", "SUB-8", "ENT-4")
def test_metered_feature__is_limited_as_soon_as_its_component_goes(candela: Client) -> None:
    per_call = price_pb2.PriceComponent(
        name="Calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        metric="calls",
        charge=price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd("0.1"))),
    )
    calls = feature_pb2.NewFeature(
        slug="calls",
        name="Calls",
        type=feature_pb2.FEATURE_TYPE_NUMBER,
        metric=metric_pb2.MetricRef(slug="calls"),
    )
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="metered",
            name="Metered",
            metrics=[
                metric_pb2.NewMetric(
                    slug="calls",
                    name="Calls",
                    aggregation=metric_pb2.AGGREGATION_SUM,
                    event_names=["call"],
                )
            ],
            features=[
                plan_pb2.PlanFeatureInput(
                    new_feature=calls, value=feature_pb2.FeatureValue(number="3")
                )
            ],
            prices=[plan_pb2.NewPrice(currency="USD", components=[per_call])],
        )
    )
    user = fresh("user")
    customer = sign_up(candela, f"x-{user}", {user: "Ada"})
    held = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug="metered"),
        )
    ).subscription
    price = candela.prices.GetPrice(price_service_pb2.GetPriceRequest(price_id=held.price_id)).price
    candela.send_event("call", value="4", user_id=user)

    def entitled() -> bool:
        return candela.check_feature("calls", user_id=user).entitlement.entitled

    seen = [entitled()]
    candela.subscriptions.SwapComponent(
        subscription_change_pb2.SwapComponentRequest(
            subscription_id=held.id,
            price_component_id=price.components[0].id,
            component=fixed("Flat", "30"),
        )
    )
    seen.append(entitled())
    candela.subscriptions.OverridePrice(
        subscription_change_pb2.OverridePriceRequest(
            subscription_id=held.id, price_id=held.price_id
        )
    )
    seen.append(entitled())

    # With a price for more there is no limit; without one, 4 of 3 are used.
    assert seen == [True, False, True]


@pytest.mark.spec("DSL-10", "SUB-6")
def test_end_of_a_price_with_a_commitment__settles_it_as_previewed(life: Life) -> None:
    life.candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="least",
            name="Least",
            prices=[
                plan_pb2.NewPrice(
                    currency="USD",
                    components=[fixed("Least", "30")],
                    minimum_commitment=price_terms_pb2.MinimumCommitment(
                        amount=usd("90"), recurrence_rule="FREQ=MONTHLY"
                    ),
                )
            ],
        )
    )
    life.go_to(4, 11)
    life.candela.subscriptions.ChangePlan(
        subscription_change_pb2.ChangePlanRequest(
            subscription_id=life.id, plan=plan_pb2.PlanRef(slug="least"), proration=INVOICE_NOW
        )
    )
    life.go_to(4, 21)
    end = subscription_change_pb2.CancelSubscriptionRequest(subscription_id=life.id, when=NOW)
    preview = life.candela.previews.PreviewSubscriptionChange(
        preview_service_pb2.PreviewSubscriptionChangeRequest(cancel_subscription=end)
    )
    ended = life.candela.subscriptions.CancelSubscription(end).subscription
    invoices = life.candela.invoices.ListInvoices(
        invoice_service_pb2.ListInvoicesRequest(
            customer=customer_pb2.CustomerRef(id=life.customer.id)
        )
    ).invoices

    # The fee: 20 of 30 days, 20.00, and 10.00 of it back; the least for 10 of 30 days: 30.00 − 10.00 = 20.00
    assert ended.status == subscription_pb2.SUBSCRIPTION_STATUS_CANCELED
    assert [one.total.amount for one in preview.invoices] == [life.totals()[-1]]
    kinds = {line.kind: line for one in invoices for line in one.lines}
    line = kinds[invoice_line_pb2.LINE_KIND_TRUE_UP]
    assert line.description.startswith("Up to the minimum of 30.00 for 10 of 30 days at 90.00")
    assert line.used_during.end_at.ToDatetime(UTC) == datetime(2026, 4, 21, 12, tzinfo=UTC)
    # 20.00 for April of "basic", of which 13.33 came back; 30.00 in all for ten days of "least"
    assert sum(float(amount) for amount in life.totals()) == pytest.approx(20 - 13.33 + 30)
