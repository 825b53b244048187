"""ArchiveCustomer over real gRPC: what it refuses, what ends with it, and what stays (SUB-6, EVT-11, AUD-1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from candela import Client, Failure, failure_of
from candela.billing.v1 import invoice_service_pb2
from candela.catalog.v1 import (
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.customer.v1 import customer_pb2, customer_service_pb2, user_service_pb2
from candela.entitlement.v1 import entitlement_service_pb2
from candela.merchant.v1 import audit_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.subscription.v1 import (
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)
from candela.type.v1 import money_pb2

from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant that sells "pro", with reports, for 30.00 a month in advance."""
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Archivist")
    with Client(live_server.address, merchant["secret_key"]) as client:
        fee = price_pb2.PriceComponent(
            name="Pro",
            kind=price_pb2.COMPONENT_KIND_FIXED,
            recurrence_rule="FREQ=MONTHLY",
            charge=price_terms_pb2.ChargeModel(
                flat=price_terms_pb2.FlatCharge(
                    unit_price=money_pb2.Money(currency="USD", amount="30")
                )
            ),
        )
        reports = feature_pb2.NewFeature(
            slug="reports", name="Reports", type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
        client.plans.CreatePlan(
            plan_service_pb2.CreatePlanRequest(
                slug="pro",
                name="Pro",
                features=[
                    plan_pb2.PlanFeatureInput(
                        new_feature=reports, value=feature_pb2.FeatureValue(boolean=True)
                    )
                ],
                prices=[plan_pb2.NewPrice(currency="USD", components=[fee])],
            )
        )
        yield client


def sign_up(candela: Client) -> customer_pb2.Customer:
    request = customer_service_pb2.CreateCustomerRequest(name="Acme", external_id="acme")
    return candela.customers.CreateCustomer(request).customer


def subscribe(
    candela: Client, customer: customer_pb2.Customer, start_at: datetime | None = None
) -> subscription_pb2.Subscription:
    request = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=customer.id), plan=plan_pb2.PlanRef(slug="pro")
    )
    if start_at is not None:
        request.start_at.FromDatetime(start_at)
    return candela.subscriptions.CreateSubscription(request).subscription


def cancel(candela: Client, held: subscription_pb2.Subscription) -> None:
    candela.subscriptions.CancelSubscription(
        subscription_change_pb2.CancelSubscriptionRequest(
            subscription_id=held.id, when=subscription_pb2.EFFECTIVE_TIME_NOW
        )
    )


def archive(candela: Client, key: str = "") -> customer_pb2.Customer:
    request = customer_service_pb2.ArchiveCustomerRequest(
        idempotency_key=key or fresh("key"),
        customer=customer_pb2.CustomerRef(external_id="acme"),
    )
    return candela.customers.ArchiveCustomer(request).customer


def entitled(candela: Client) -> bool:
    request = entitlement_service_pb2.CheckRequest(feature="reports", external_customer_id="acme")
    return candela.entitlements.Check(request).entitlement.entitled


def refused(call: Callable[[], object]) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return failure_of(caught.value)


@pytest.mark.spec("SUB-6", "SUB-7")
@pytest.mark.parametrize("state", ["active", "paused", "incomplete"])
def test_customer_whose_subscription_runs_or_waits__is_not_archived(
    candela: Client, state: str
) -> None:
    customer = sign_up(candela)
    later = datetime.now(UTC) + timedelta(days=5)
    held = subscribe(candela, customer, later if state == "incomplete" else None)
    if state == "paused":
        candela.subscriptions.PauseSubscription(
            subscription_change_pb2.PauseSubscriptionRequest(subscription_id=held.id)
        )
    got = refused(lambda: archive(candela))
    shown = candela.customers.GetCustomer(
        customer_service_pb2.GetCustomerRequest(customer=customer_pb2.CustomerRef(id=customer.id))
    ).customer

    assert got.code is grpc.StatusCode.FAILED_PRECONDITION
    assert got.reason == "ERROR_REASON_SUBSCRIPTION_TRANSITION_REFUSED"
    assert (got.metadata["from"], got.metadata["to"]) == (state, "canceled")
    assert f"{held.id} ({state})" in got.message
    assert not shown.HasField("archived_at")


@pytest.mark.spec("SUB-6", "EVT-11", "ENT-6", "AUD-1", "AUD-2")
def test_archived_customer__begins_nothing_more_and_keeps_its_history(candela: Client) -> None:
    customer = sign_up(candela)
    held = subscribe(candela, customer)
    before = entitled(candela)
    cancel(candela, held)
    archived = archive(candela, "one")
    repeated = archive(candela, "one")
    again = archive(candela, "two")
    who = customer_pb2.CustomerRef(id=customer.id)

    event = event_pb2.Event(idempotency_key="late", name="thing", customer_id=customer.id)
    [outcome] = candela.ingestion.RecordEvents(
        ingestion_service_pb2.RecordEventsRequest(events=[event])
    ).outcomes
    later = [
        refused(lambda: subscribe(candela, customer)),
        refused(
            lambda: candela.subscriptions.ReactivateSubscription(
                subscription_change_pb2.ReactivateSubscriptionRequest(subscription_id=held.id)
            )
        ),
        refused(
            lambda: candela.users.CreateUser(
                user_service_pb2.CreateUserRequest(customer=who, external_id="u")
            )
        ),
    ]
    listed = candela.customers.ListCustomers(customer_service_pb2.ListCustomersRequest()).customers
    everyone = candela.customers.ListCustomers(
        customer_service_pb2.ListCustomersRequest(include_archived=True)
    ).customers
    trail = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(
            subject_id=customer.id, action="customer.archived"
        )
    ).audit_entries

    assert before
    assert not entitled(candela)
    assert archived.HasField("archived_at")
    assert archived == repeated == again
    assert outcome == event_pb2.EVENT_OUTCOME_REJECTED
    assert [one.reason for one in later] == ["ERROR_REASON_CUSTOMER_ARCHIVED"] * 3
    assert list(listed) == []
    assert list(everyone) == [archived]
    assert [(one.before["archived"], one.after["archived"]) for one in trail] == [
        (True, True),
        (False, True),
    ]
    candela.invoices.ListInvoices(invoice_service_pb2.ListInvoicesRequest(customer=who))


@pytest.mark.spec("SUB-6")
def test_unknown_customer__cannot_be_archived(candela: Client) -> None:
    assert refused(lambda: archive(candela)).reason == "ERROR_REASON_CUSTOMER_NOT_FOUND"
