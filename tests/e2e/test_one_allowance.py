"""One allowance a period through the generated client: at other prices, after an end and a new beginning (ENT-4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.catalog.v1 import plan_pb2, price_service_pb2
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.subscription.v1 import (
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from demo.team_plan import sign_up
from tests.e2e.test_changes import fixed
from tests.helpers.included_calls import bringing
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.integration.credit.test_life_of_credits import terms_without_price

NOW = subscription_pb2.EFFECTIVE_TIME_NOW


def take(candela: Client, customer_id: str) -> str:
    return candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer_id),
            plan=plan_pb2.PlanRef(slug="limited"),
        )
    ).subscription.id


def use(candela: Client, customer_id: str, calls: int) -> None:
    sent = event_pb2.Event(
        idempotency_key=fresh("key"), customer_id=customer_id, name="call", value=str(calls)
    )
    sent.timestamp.FromDatetime(datetime.now(UTC) - timedelta(milliseconds=1))
    candela.ingestion.RecordEvents(ingestion_service_pb2.RecordEventsRequest(events=[sent]))


def left(candela: Client, customer_id: str) -> str:
    request = entitlement_service_pb2.CheckRequest(customer_id=customer_id, feature="calls")
    return candela.entitlements.Check(request).entitlement.usage.remaining


@pytest.mark.spec("ENT-4", "CRD-5", "CRD-8", "SUB-6")
def test_other_price_and_then_a_new_subscription__leave_what_is_left(
    live_server: LiveServer,
) -> None:
    made = create_merchant_by_command(dict(live_server.server.environment), "One allowance")
    with Client(live_server.address, made["secret_key"]) as candela:
        request = terms_without_price(bringing("100", existing=False))
        request.slug, request.name = "limited", "Limited"
        request.prices.append(plan_pb2.NewPrice(currency="USD", components=[fixed("Fee", "10")]))
        candela.plans.CreatePlan(request)
        holder = sign_up(candela, "allowed", {}).id
        held = take(candela, holder)
        use(candela, holder, 70)
        found = [left(candela, holder)]
        dearer = candela.prices.CreatePrice(
            price_service_pb2.CreatePriceRequest(
                plan=plan_pb2.PlanRef(slug="limited"),
                price=plan_pb2.NewPrice(currency="USD", components=[fixed("Fee", "20")]),
            )
        ).price
        candela.subscriptions.OverridePrice(
            subscription_change_pb2.OverridePriceRequest(subscription_id=held, price_id=dearer.id)
        )
        found.append(left(candela, holder))
        use(candela, holder, 10)
        found.append(left(candela, holder))
        for _ in range(2):
            candela.subscriptions.CancelSubscription(
                subscription_change_pb2.CancelSubscriptionRequest(subscription_id=held, when=NOW)
            )
            held = take(candela, holder)
            found.append(left(candela, holder))

    # 100 − 70, at either price; then 10 more.
    assert found == ["30", "30", "20", "20", "20"]
