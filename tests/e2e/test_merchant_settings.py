"""UpdateMerchant over real gRPC: what it changes, what it refuses, and what it leaves as it is (ENT-10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from candela import Client
from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.customer.v1 import customer_service_pb2
from candela.merchant.v1 import (
    api_key_pb2,
    api_key_service_pb2,
    audit_service_pb2,
    merchant_pb2,
)
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.type.v1 import money_pb2
from google.protobuf.duration_pb2 import Duration

from tests.helpers.own_merchant import Change, read, refused, update
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.helpers.waiting import until

# A change reaches every process by PostgreSQL's NOTIFY; the rest is the machine's business.
DAY_S = 86_400
WEEK = Duration(seconds=7 * DAY_S)


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Before")
    with Client(live_server.address, merchant["secret_key"]) as client:
        yield client


def plan(candela: Client, slug: str, amount: str) -> plan_pb2.Plan:
    charge = price_terms_pb2.FlatCharge(unit_price=money_pb2.Money(currency="USD", amount=amount))
    fee = price_pb2.PriceComponent(
        name="Fee",
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule="FREQ=MONTHLY",
        charge=price_terms_pb2.ChargeModel(flat=charge),
    )
    request = plan_service_pb2.CreatePlanRequest(
        slug=slug, name=slug, prices=[plan_pb2.NewPrice(currency="USD", components=[fee])]
    )
    return candela.plans.CreatePlan(request).plan


@pytest.mark.spec("ENT-10")
def test_new_merchant__gives_a_week_of_grace_and_then_blocks(candela: Client) -> None:
    assert read(candela).settings.past_due_policy == merchant_pb2.PastDuePolicy(
        grace=WEEK, then=merchant_pb2.PAST_DUE_ACTION_BLOCK
    )


@pytest.mark.spec("ENT-10", "INV-3", "INV-4", "EVT-9", "AUD-1")
def test_update__changes_what_it_names_and_leaves_the_rest(candela: Client) -> None:
    before = read(candela)
    first = update(
        candela,
        Change(
            name="After",
            time_zone="Europe/Berlin",
            settings=merchant_pb2.MerchantSettings(
                event_lateness=Duration(seconds=60 * DAY_S),
                unknown_customer_policy=merchant_pb2.UNKNOWN_EVENT_POLICY_REJECT,
                invoice_grace=Duration(seconds=0),
                past_due_policy=merchant_pb2.PastDuePolicy(grace=Duration(seconds=0)),
                invoice_number_prefix="",
                max_invoices_per_customer_per_day=1000,
            ),
        ),
    )
    second = update(
        candela,
        Change(
            expected_version=2,
            settings=merchant_pb2.MerchantSettings(
                past_due_policy=merchant_pb2.PastDuePolicy(then=merchant_pb2.PAST_DUE_ACTION_KEEP)
            ),
        ),
    )
    trail = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(subject_id=before.id)
    )

    want = merchant_pb2.Merchant()
    want.CopyFrom(before)
    want.name, want.time_zone, want.version = "After", "Europe/Berlin", 2
    want.settings.event_lateness.seconds = 60 * DAY_S
    want.settings.invoice_grace.seconds = 0
    want.settings.past_due_policy.grace.seconds = 0
    want.settings.invoice_number_prefix = ""
    want.settings.max_invoices_per_customer_per_day = 1000
    assert first == want
    want.settings.past_due_policy.then = merchant_pb2.PAST_DUE_ACTION_KEEP
    want.version = 3
    assert second == read(candela) == want
    entries = [one for one in trail.audit_entries if one.action == "merchant.updated"]
    assert {(one.before["name"], one.after["name"]) for one in entries} == {
        ("Before", "After"),
        ("After", "After"),
    }


@pytest.mark.spec("ENT-10")
def test_downgrade__needs_a_free_plan_of_this_merchant(candela: Client) -> None:
    free, paid = plan(candela, "free", "0"), plan(candela, "paid", "5")

    def policy(then: str, plan_id: str = "") -> merchant_pb2.MerchantSettings:
        return merchant_pb2.MerchantSettings(
            past_due_policy=merchant_pb2.PastDuePolicy(
                then=merchant_pb2.PastDueAction.Value(f"PAST_DUE_ACTION_{then}"),
                downgrade_plan_id=plan_id,
            )
        )

    wrong = [
        policy("DOWNGRADE"),
        policy("DOWNGRADE", paid.id),
        policy("DOWNGRADE", "plan_00000000000000000000000000"),
        policy("DOWNGRADE", "free"),
        policy("BLOCK", free.id),
        policy("UNSPECIFIED", free.id),
    ]
    got = [refused(candela, Change(settings=settings)) for settings in wrong]
    set_ = update(candela, Change(settings=policy("DOWNGRADE", free.id))).settings.past_due_policy
    kept = update(candela, Change(settings=policy("UNSPECIFIED"))).settings.past_due_policy
    cleared = update(candela, Change(settings=policy("BLOCK"))).settings.past_due_policy

    assert {one.code for one in got} == {grpc.StatusCode.INVALID_ARGUMENT}
    assert [[field.field for field in one.fields] for one in got] == [
        ["settings.past_due_policy.downgrade_plan_id"]
    ] * len(wrong)
    assert set_ == kept
    assert (set_.then, set_.downgrade_plan_id) == (merchant_pb2.PAST_DUE_ACTION_DOWNGRADE, free.id)
    assert cleared.downgrade_plan_id == ""


@pytest.mark.spec("ENT-10", "EVT-9", "INV-4")
def test_settings_out_of_bounds__are_all_refused_by_path(candela: Client) -> None:
    got = refused(
        candela,
        Change(
            name="",
            time_zone="Mars/Olympus",
            settings=merchant_pb2.MerchantSettings(
                event_lateness=Duration(seconds=59 * 60),
                invoice_grace=Duration(seconds=31 * DAY_S),
                past_due_policy=merchant_pb2.PastDuePolicy(grace=Duration(seconds=91 * DAY_S)),
                invoice_number_prefix="INV1",
                max_invoices_per_customer_per_day=0,
            ),
        ),
    )
    longer_than_keys = refused(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(event_lateness=Duration(seconds=90 * DAY_S)),
        ),
    )
    endless = refused(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(invoice_grace=Duration(seconds=-1, nanos=-1)),
        ),
    )

    assert {field.field for field in got.fields} == {
        "name",
        "time_zone",
        "settings.event_lateness",
        "settings.invoice_grace",
        "settings.past_due_policy.grace",
        "settings.invoice_number_prefix",
        "settings.max_invoices_per_customer_per_day",
    }
    assert [field.field for field in longer_than_keys.fields] == ["settings.event_lateness"]
    assert [field.field for field in endless.fields] == ["settings.invoice_grace"]


@pytest.mark.spec("INV-4", "INV-6")
@pytest.mark.parametrize("prefix", ["CN-", "cn-"])
def test_prefix_of_credit_notes__is_refused_for_invoices(candela: Client, prefix: str) -> None:
    got = refused(
        candela, Change(settings=merchant_pb2.MerchantSettings(invoice_number_prefix=prefix))
    )

    [field] = got.fields
    assert field.field == "settings.invoice_number_prefix"
    assert "credit notes have it" in field.description


@pytest.mark.spec("EVT-2", "EVT-11")
def test_dedupe_window_and_event_policies__are_kept_within_bounds(candela: Client) -> None:
    def window(seconds: int, lateness_s: int | None = None) -> merchant_pb2.MerchantSettings:
        settings = merchant_pb2.MerchantSettings(event_dedupe_window=Duration(seconds=seconds))
        if lateness_s is not None:
            settings.event_lateness.seconds = lateness_s
        return settings

    wrong = [
        refused(candela, Change(settings=window(36 * DAY_S - 1))),
        refused(candela, Change(settings=window(400 * DAY_S + 1))),
        refused(candela, Change(settings=window(100 * DAY_S, 99 * DAY_S + 1))),
    ]
    longest = update(candela, Change(settings=window(400 * DAY_S, 180 * DAY_S))).settings
    too_short = refused(candela, Change(settings=window(40 * DAY_S)))
    shortest = update(candela, Change(settings=window(36 * DAY_S, 35 * DAY_S))).settings
    too_late = refused(
        candela,
        Change(settings=merchant_pb2.MerchantSettings(event_lateness=Duration(seconds=36 * DAY_S))),
    )
    policies = update(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(
                unknown_customer_policy=merchant_pb2.UNKNOWN_EVENT_POLICY_DEAD_LETTER,
                unmatched_name_policy=merchant_pb2.UNMATCHED_NAME_POLICY_REJECT,
            ),
        ),
    ).settings

    for one in [*wrong, too_short]:
        assert [field.field for field in one.fields] == ["settings.event_dedupe_window"]
    assert "180 days" in too_short.fields[0].description
    assert [field.field for field in too_late.fields] == ["settings.event_lateness"]
    assert longest.event_dedupe_window.seconds == 400 * DAY_S
    assert shortest.event_dedupe_window.seconds == 36 * DAY_S
    assert policies.unknown_customer_policy == merchant_pb2.UNKNOWN_EVENT_POLICY_DEAD_LETTER
    assert policies.unmatched_name_policy == merchant_pb2.UNMATCHED_NAME_POLICY_REJECT
    assert read(candela).settings == policies


@pytest.mark.spec("AUD-2", "KEY-2")
def test_other_version_or_lesser_key__changes_nothing(
    live_server: LiveServer, candela: Client
) -> None:
    stale = refused(candela, Change(name="After", expected_version=7))
    made = candela.api_keys.CreateApiKey(
        api_key_service_pb2.CreateApiKeyRequest(
            name="writer",
            kind=api_key_pb2.API_KEY_KIND_SECRET,
            scopes=[api_key_pb2.API_KEY_SCOPE_READ, api_key_pb2.API_KEY_SCOPE_WRITE],
        )
    )
    with Client(live_server.address, made.secret) as writer:
        lesser = refused(writer, Change(name="After"))

    assert stale.code is grpc.StatusCode.ABORTED
    assert stale.reason == "ERROR_REASON_VERSION_MISMATCH"
    assert (stale.metadata["expected"], stale.metadata["actual"]) == ("7", "1")
    assert lesser.code is grpc.StatusCode.PERMISSION_DENIED
    assert lesser.metadata["scope"] == "admin"


@pytest.mark.spec("EVT-9")
def test_longer_lateness__reaches_the_servers_that_take_events(candela: Client) -> None:
    customer = candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Late", external_id="late")
    ).customer
    old = datetime.now(UTC) - timedelta(days=50)

    def outcome() -> int:
        event = event_pb2.Event(idempotency_key="old", name="thing", customer_id=customer.id)
        event.timestamp.FromDatetime(old)
        request = ingestion_service_pb2.RecordEventsRequest(events=[event])
        return candela.ingestion.RecordEvents(request).outcomes[0]

    before = outcome()
    update(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(event_lateness=Duration(seconds=60 * DAY_S)),
        ),
    )
    until(lambda: outcome() == event_pb2.EVENT_OUTCOME_ACCEPTED)

    assert before == event_pb2.EVENT_OUTCOME_REJECTED
