"""Usage that reaches its price's threshold is invoiced as time passes, over real gRPC and a worker (INV-1, OPS-2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import invoice_line_pb2, invoice_pb2, invoice_service_pb2
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
from candela.merchant.v1 import test_clock_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.subscription.v1 import subscription_service_pb2

from demo.team_plan import sign_up, usd
from tests.e2e.test_changes import fixed
from tests.e2e.test_migrations import advance
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

START = datetime(2026, 4, 1, 12, tzinfo=UTC)
THRESHOLD = invoice_line_pb2.LINE_KIND_THRESHOLD
USAGE = invoice_line_pb2.LINE_KIND_USAGE


def by_calls(threshold: str | None, *components: price_pb2.PriceComponent) -> plan_pb2.NewPrice:
    """A price, with a threshold in dollars."""
    return plan_pb2.NewPrice(
        currency="USD",
        components=components,
        billing_threshold=None if threshold is None else usd(threshold),
    )


def calls() -> price_pb2.PriceComponent:
    """A dollar for each call."""
    return price_pb2.PriceComponent(
        name="Calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        metric="calls",
        charge=price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd("1"))),
    )


def plan(price: plan_pb2.NewPrice) -> plan_service_pb2.CreatePlanRequest:
    """A plan that is charged by calls."""
    return plan_service_pb2.CreatePlanRequest(
        slug="by-calls",
        name="By calls",
        metrics=[
            metric_pb2.NewMetric(
                slug="calls",
                name="Calls",
                aggregation=metric_pb2.AGGREGATION_COUNT,
                event_names=["call"],
            )
        ],
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="calls",
                    name="Calls",
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug="calls"),
                )
            )
        ],
        prices=[price],
    )


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Thresholds")
    with Client(live_server.address, made["secret_key"]) as client:
        yield client


def use(candela: Client, customer: customer_pb2.Customer, count: int, at: datetime) -> None:
    """So many calls at an instant."""
    events = []
    for _ in range(count):
        event = event_pb2.Event(idempotency_key=fresh("key"), name="call", customer_id=customer.id)
        event.timestamp.FromDatetime(at)
        events.append(event)
    answer = candela.ingestion.RecordEvents(
        ingestion_service_pb2.RecordEventsRequest(events=events)
    )
    assert len(answer.outcomes) == count
    assert not answer.errors


def invoices(candela: Client, customer: customer_pb2.Customer) -> list[invoice_pb2.Invoice]:
    request = invoice_service_pb2.ListInvoicesRequest(
        customer=customer_pb2.CustomerRef(id=customer.id)
    )
    return list(candela.invoices.ListInvoices(request).invoices)


@pytest.mark.spec("INV-1", "INV-2", "OPS-2")
def test_clock_passes_a_threshold__invoices_at_once_and_the_rest_at_the_end(
    candela: Client,
) -> None:
    made = candela.plans.CreatePlan(plan(by_calls("50", fixed("Fee", "20"), calls())))
    request = test_clock_service_pb2.CreateTestClockRequest(name="thresholds")
    request.now_at.FromDatetime(START)
    clock_id = candela.test_clocks.CreateTestClock(request).test_clock.id
    customer = sign_up(candela, fresh("company"), {}, clock_id)
    candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug="by-calls"),
            time_zone="UTC",
        )
    )
    for day, count in ((5, 30), (10, 40), (15, 10)):
        advance(candela, clock_id, datetime(2026, 4, day, 12, tzinfo=UTC))
        use(candela, customer, count, datetime(2026, 4, day, 11, tzinfo=UTC))
        advance(candela, clock_id, datetime(2026, 4, day, 13, tzinfo=UTC))
    advance(candela, clock_id, datetime(2026, 5, 2, 12, tzinfo=UTC))

    shown = candela.prices.GetPrice(
        price_service_pb2.GetPriceRequest(price_id=made.prices[0].id)
    ).price
    assert shown.billing_threshold == usd("50")
    got = [
        (
            one.total.amount,
            sorted(line.amount.amount for line in one.lines if line.kind in (THRESHOLD, USAGE)),
        )
        for one in invoices(candela, customer)
    ]
    # 20.00 in advance; 70 calls reach 50.00; 80 calls in all, less 70.00, and the next fee
    assert got == [("20", []), ("70", ["70"]), ("30", ["-70", "80"])]
    ahead = invoices(candela, customer)[1]
    assert ahead.status == invoice_pb2.INVOICE_STATUS_FINALIZED
    assert ahead.number


@pytest.mark.spec("INV-1", "OPS-2")
def test_threshold_reached_where_a_clock_rests__is_invoiced_of_that_instant(
    candela: Client,
) -> None:
    candela.plans.CreatePlan(plan(by_calls("50", calls())))
    request = test_clock_service_pb2.CreateTestClockRequest(name="thresholds")
    request.now_at.FromDatetime(START)
    clock_id = candela.test_clocks.CreateTestClock(request).test_clock.id
    customer = sign_up(candela, fresh("company"), {}, clock_id)
    candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug="by-calls"),
            time_zone="UTC",
        )
    )
    rests_at = datetime(2026, 4, 5, 12, tzinfo=UTC)
    advance(candela, clock_id, rests_at)
    use(candela, customer, 60, datetime(2026, 4, 5, 11, tzinfo=UTC))
    # Long beyond the next instant at which something falls due.
    advance(candela, clock_id, datetime(2026, 4, 20, 12, tzinfo=UTC))

    [ahead] = invoices(candela, customer)
    assert (ahead.total.amount, ahead.created_at.ToDatetime(UTC)) == ("60", rests_at)


@pytest.mark.spec("CAT-1", "DSL-3")
@pytest.mark.parametrize(
    ("price", "says"),
    [
        (by_calls("0", calls()), "must be above 0"),
        (by_calls("-1", calls()), "must be 0 or more"),
        (by_calls("50", fixed("Fee", "20")), "no component charges usage"),
    ],
)
def test_threshold_that_nothing_could_reach__is_refused_naming_the_field(
    candela: Client, price: plan_pb2.NewPrice, says: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        candela.plans.CreatePlan(plan(price))
    [field] = failure_of(caught.value).fields

    assert field.field == "prices[0].billing_threshold"
    assert says in field.description
