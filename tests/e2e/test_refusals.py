"""Bad input over real gRPC: each a clear error with details, and nothing stored."""

from __future__ import annotations

import grpc
import pytest
from candela import Client
from candela.catalog.v1 import plan_pb2, plan_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2, merchant_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.payment.v1 import dunning_service_pb2
from candela.subscription.v1 import subscription_service_pb2

from demo.team_plan import sign_up
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.refusing import refused
from tests.helpers.servers import LiveServer, create_merchant_by_command


@pytest.mark.spec("KEY-1")
@pytest.mark.parametrize(
    "key",
    ["", "sk_test_wrong", "sk_test_" + "A" * 49, "pk_live_x"],
    ids=["none", "short", "bad checksum", "other"],
)
def test_wrong_key__is_unauthenticated(live_server: LiveServer, key: str) -> None:
    with Client(live_server.address, key) as client:
        got = refused(client.merchant.GetMerchant, merchant_service_pb2.GetMerchantRequest())

    assert got.code is grpc.StatusCode.UNAUTHENTICATED
    assert got.reason == "ERROR_REASON_UNAUTHENTICATED"


@pytest.mark.spec("KEY-1", "PUB-1")
def test_publishable_key_on_a_secret_method__is_forbidden(live_server: LiveServer) -> None:
    with Client(live_server.address, live_server.publishable_key) as client:
        got = refused(client.merchant.GetMerchant, merchant_service_pb2.GetMerchantRequest())

    assert got.code is grpc.StatusCode.PERMISSION_DENIED
    assert got.reason == "ERROR_REASON_FORBIDDEN_PUBLISHABLE_KEY"


@pytest.mark.spec("KEY-2")
def test_read_only_key_on_a_changing_method__is_forbidden(
    live_server: LiveServer, candela: Client
) -> None:
    made = candela.api_keys.CreateApiKey(
        api_key_service_pb2.CreateApiKeyRequest(
            name="reader",
            kind=api_key_pb2.API_KEY_KIND_SECRET,
            scopes=[api_key_pb2.API_KEY_SCOPE_READ],
        )
    )
    with Client(live_server.address, made.secret) as reader:
        reader.merchant.GetMerchant(merchant_service_pb2.GetMerchantRequest())
        got = refused(
            reader.customers.CreateCustomer, customer_service_pb2.CreateCustomerRequest(name="A")
        )

    assert got.code is grpc.StatusCode.PERMISSION_DENIED
    assert got.metadata["scope"] == "write"


@pytest.mark.spec("KEY-1", "KEY-2")
def test_created_key_listed__shows_its_prefix_only_and_its_secret_once(candela: Client) -> None:
    request = api_key_service_pb2.CreateApiKeyRequest(
        idempotency_key=fresh("key"),
        name="once",
        kind=api_key_pb2.API_KEY_KIND_SECRET,
        scopes=[api_key_pb2.API_KEY_SCOPE_READ],
    )
    first = candela.api_keys.CreateApiKey(request)
    again = candela.api_keys.CreateApiKey(request)
    listed = candela.api_keys.ListApiKeys(api_key_service_pb2.ListApiKeysRequest())

    assert first.secret.startswith(first.api_key.prefix)
    assert again.api_key == first.api_key
    assert again.secret == ""
    assert first.secret not in str(listed)


@pytest.mark.spec("KEY-2")
def test_another_merchants_customer__is_not_found_like_one_that_never_was(
    live_server: LiveServer, candela: Client
) -> None:
    mine = candela.customers.CreateCustomer(customer_service_pb2.CreateCustomerRequest(name="Mine"))
    other = create_merchant_by_command(dict(live_server.server.environment), "Other")
    with Client(live_server.address, other["secret_key"]) as stranger:
        got = refused(
            stranger.customers.GetCustomer,
            customer_service_pb2.GetCustomerRequest(
                customer=customer_pb2.CustomerRef(id=mine.customer.id)
            ),
        )
        absent = refused(
            stranger.customers.GetCustomer,
            customer_service_pb2.GetCustomerRequest(
                customer=customer_pb2.CustomerRef(id="cus_00000000000000000000000000")
            ),
        )

    assert got.code is absent.code is grpc.StatusCode.NOT_FOUND
    assert got.reason == absent.reason == "ERROR_REASON_CUSTOMER_NOT_FOUND"


@pytest.mark.spec("ENT-2")
def test_unknown_slug__is_an_error_and_an_unknown_customer_a_denial(candela: Client) -> None:
    plan = fresh_plan()
    candela.plans.CreatePlan(plan)
    slug = plan.features[0].new_feature.slug
    got = refused(
        candela.entitlements.Check,
        entitlement_service_pb2.CheckRequest(feature="no-such-thing", external_customer_id="x"),
    )
    answer = candela.check_feature(slug, external_customer_id="nobody").entitlement

    assert got.code is grpc.StatusCode.NOT_FOUND
    assert got.reason == "ERROR_REASON_FEATURE_NOT_FOUND"
    assert not answer.entitled
    assert answer.denial_reason == entitlement_pb2.DENIAL_REASON_CUSTOMER_UNKNOWN


@pytest.mark.spec("SEAT-4", "SUB-1")
@pytest.mark.parametrize("seats", ["-1", "0", "2.5", "many"])
def test_seats_that_cannot_be__are_refused_by_field(candela: Client, seats: str) -> None:
    plan = fresh_plan()
    candela.plans.CreatePlan(plan)
    customer = sign_up(candela, fresh("x"), {})
    got = refused(
        candela.subscriptions.CreateSubscription,
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug=plan.slug),
            seats=seats,
        ),
    )
    held = candela.subscriptions.ListSubscriptions(
        subscription_service_pb2.ListSubscriptionsRequest(
            customer=customer_pb2.CustomerRef(id=customer.id)
        )
    )

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field.field for field in got.fields] == ["seats"]
    assert not held.subscriptions


@pytest.mark.spec("SUB-9")
def test_second_subscription_to_the_same_plan__needs_a_flag(candela: Client) -> None:
    plan = fresh_plan()
    candela.plans.CreatePlan(plan)
    customer = sign_up(candela, fresh("x"), {})
    request = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=customer.id),
        plan=plan_pb2.PlanRef(slug=plan.slug),
    )
    candela.subscriptions.CreateSubscription(request)
    request.idempotency_key = ""
    got = refused(candela.subscriptions.CreateSubscription, request)
    request.idempotency_key, request.allow_duplicate = "", True
    candela.subscriptions.CreateSubscription(request)

    assert got.reason == "ERROR_REASON_SUBSCRIPTION_DUPLICATE"


@pytest.mark.spec("DSL-5", "CAT-1")
@pytest.mark.parametrize(
    "rule", ["FREQ=MONTHLY;INTERVAL=0", "FREQ=SECONDLY", "every month", "FREQ=MONTHLY;COUNT=0", ""]
)
def test_malformed_rrule__is_refused_by_path_and_the_plan_does_not_exist(
    candela: Client, rule: str
) -> None:
    plan = fresh_plan()
    plan.prices[0].components[1].recurrence_rule = rule
    got = refused(candela.plans.CreatePlan, plan)
    absent = refused(
        candela.plans.GetPlan,
        plan_service_pb2.GetPlanRequest(plan=plan_pb2.PlanRef(slug=plan.slug)),
    )

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert got.reason == "ERROR_REASON_RECURRENCE_RULE_INVALID"
    assert [field.field for field in got.fields] == ["prices[0].components[1].recurrence_rule"]
    assert absent.reason == "ERROR_REASON_PLAN_NOT_FOUND"


@pytest.mark.spec("EVT-1", "EVT-3")
def test_event_without_key__is_refused_and_its_neighbours_are_taken(candela: Client) -> None:
    customer = sign_up(candela, fresh("x"), {})
    events = [
        event_pb2.Event(
            idempotency_key=fresh("key") if key else "",
            name="thing",
            customer_id=customer.id,
        )
        for key in (True, False, True)
    ]
    got = candela.ingestion.RecordEvents(ingestion_service_pb2.RecordEventsRequest(events=events))

    assert list(got.outcomes) == [
        event_pb2.EVENT_OUTCOME_ACCEPTED,
        event_pb2.EVENT_OUTCOME_REJECTED,
        event_pb2.EVENT_OUTCOME_ACCEPTED,
    ]
    assert [(error.index, error.field) for error in got.errors] == [(1, "idempotency_key")]


@pytest.mark.spec("EVT-3")
def test_batch_of_10_001_events__is_refused_whole(candela: Client) -> None:
    customer = sign_up(candela, fresh("x"), {})
    events = [
        event_pb2.Event(idempotency_key=f"{customer.id}-{n}", name="thing", customer_id=customer.id)
        for n in range(10_001)
    ]
    got = refused(
        candela.ingestion.RecordEvents, ingestion_service_pb2.RecordEventsRequest(events=events)
    )
    fewer = candela.ingestion.RecordEvents(
        ingestion_service_pb2.RecordEventsRequest(events=events[:10])
    )

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert got.reason == "ERROR_REASON_BATCH_TOO_LARGE"
    assert set(fewer.outcomes) == {event_pb2.EVENT_OUTCOME_ACCEPTED}  # nothing was stored before


@pytest.mark.spec("AUD-2")
def test_same_key_another_request__is_refused_and_the_same_request_answered_again(
    candela: Client,
) -> None:
    request = customer_service_pb2.CreateCustomerRequest(idempotency_key=fresh("key"), name="Once")
    first, one = candela.customers.CreateCustomer.with_call(request)
    again, other = candela.customers.CreateCustomer.with_call(request)
    request.name = "Twice"
    got = refused(candela.customers.CreateCustomer, request)

    assert again == first
    assert "candela-replayed" not in dict(one.trailing_metadata())
    assert dict(other.trailing_metadata())["candela-replayed"] == "true"
    assert got.code is grpc.StatusCode.FAILED_PRECONDITION
    assert got.reason == "ERROR_REASON_IDEMPOTENCY_MISMATCH"


@pytest.mark.spec("OPS-1")
def test_method_that_is_not_served__says_which_spec_ids_it_waits_for(candela: Client) -> None:
    got = refused(
        candela.dunning.UpdateDunningPolicy,
        dunning_service_pb2.UpdateDunningPolicyRequest(),
    )

    assert got.code is grpc.StatusCode.UNIMPLEMENTED
    assert "PAY-5" in got.metadata["spec_ids"]
