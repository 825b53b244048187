"""A merchant's defaults over real gRPC: currency, terms of payment, proration, numbering, a clock (CAT-4, INV-4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.merchant.v1 import (
    audit_service_pb2,
    merchant_pb2,
    test_clock_service_pb2,
)
from candela.subscription.v1 import subscription_service_pb2
from candela.type.v1 import money_pb2

from tests.helpers.own_merchant import Change, read, refused, update
from tests.helpers.servers import LiveServer, create_merchant_by_command


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Defaults")
    with Client(live_server.address, merchant["secret_key"]) as client:
        yield client


def sign_up(
    candela: Client, name: str, payment_terms: customer_pb2.PaymentTerms | None = None
) -> customer_pb2.Customer:
    request = customer_service_pb2.CreateCustomerRequest(name=name, payment_terms=payment_terms)
    return candela.customers.CreateCustomer(request).customer


@pytest.mark.spec("INV-1", "INV-4", "SEAT-2", "AUD-1")
def test_new_merchant__has_the_documented_defaults_and_changes_them_one_by_one(
    candela: Client,
) -> None:
    usual = merchant_pb2.NumberingScheme(
        digits=6, reset=merchant_pb2.NUMBERING_RESET_NEVER, next_number=1
    )
    before = read(candela).settings
    first = update(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(
                invoice_numbering=merchant_pb2.NumberingScheme(digits=10, next_number=4711),
                payment_terms_days=0,
                proration=merchant_pb2.PRORATION_TIMING_NONE,
            ),
        ),
    ).settings
    second = update(
        candela,
        Change(
            settings=merchant_pb2.MerchantSettings(
                invoice_numbering=merchant_pb2.NumberingScheme(
                    reset=merchant_pb2.NUMBERING_RESET_YEARLY
                )
            ),
        ),
    )
    [entry, _] = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(subject_id=second.id, action="merchant.updated")
    ).audit_entries

    assert (before.invoice_numbering, before.credit_note_numbering) == (usual, usual)
    assert (before.payment_terms_days, before.proration) == (
        30,
        merchant_pb2.PRORATION_TIMING_NEXT_INVOICE,
    )
    assert first.invoice_numbering == merchant_pb2.NumberingScheme(
        digits=10, reset=merchant_pb2.NUMBERING_RESET_NEVER, next_number=4711
    )
    assert (first.payment_terms_days, first.proration) == (0, merchant_pb2.PRORATION_TIMING_NONE)
    assert second.settings.invoice_numbering == merchant_pb2.NumberingScheme(
        digits=10, reset=merchant_pb2.NUMBERING_RESET_YEARLY, next_number=1
    )
    assert second.settings.credit_note_numbering == usual
    assert entry.after["settings"]["invoice_numbering"]["reset"] == "yearly"


@pytest.mark.spec("CAT-4", "INV-1", "INV-4", "OPS-2")
def test_defaults_out_of_bounds__are_all_refused_by_path(candela: Client) -> None:
    got = refused(
        candela,
        Change(
            default_currency="usd",
            test_clock_id="cus_00000000000000000000000000",
            settings=merchant_pb2.MerchantSettings(
                invoice_number_prefix="INV-2026-",
                invoice_numbering=merchant_pb2.NumberingScheme(digits=13, next_number=0),
                credit_note_numbering=merchant_pb2.NumberingScheme(
                    reset=9,  # type: ignore[arg-type]
                ),
                payment_terms_days=366,
                proration=9,  # type: ignore[arg-type]
            ),
        ),
    )
    unknown = refused(candela, Change(test_clock_id="tck_00000000000000000000000000"))
    with pytest.raises(grpc.RpcError) as caught:
        sign_up(candela, "Acme", payment_terms=customer_pb2.PaymentTerms(days=-1))

    assert {field.field for field in got.fields} == {
        "default_currency",
        "test_clock_id",
        "settings.invoice_number_prefix",
        "settings.invoice_numbering.digits",
        "settings.invoice_numbering.next_number",
        "settings.credit_note_numbering.reset",
        "settings.payment_terms_days",
        "settings.proration",
    }
    assert unknown.reason == "ERROR_REASON_TEST_CLOCK_NOT_FOUND"
    assert [field.field for field in failure_of(caught.value).fields] == ["payment_terms.days"]


@pytest.mark.spec("INV-7")
def test_terms_of_a_customer__are_shown_changed_and_given_up(candela: Client) -> None:
    made = sign_up(candela, "Acme", payment_terms=customer_pb2.PaymentTerms(days=45))

    def change(wanted: customer_service_pb2.UpdateCustomerRequest) -> customer_pb2.Customer:
        wanted.customer.id = made.id
        return candela.customers.UpdateCustomer(wanted).customer

    renamed = change(customer_service_pb2.UpdateCustomerRequest(name="Acme Inc."))
    given_up = change(
        customer_service_pb2.UpdateCustomerRequest(payment_terms=customer_pb2.PaymentTerms())
    )

    assert made.payment_terms.days == renamed.payment_terms.days == 45
    assert not given_up.HasField("payment_terms")
    assert not sign_up(candela, "Other").HasField("payment_terms")


@pytest.mark.spec("CAT-4", "CAT-5")
def test_default_currency__is_sold_before_others_when_nobody_names_one(candela: Client) -> None:
    def price(currency: str) -> plan_pb2.NewPrice:
        amount = money_pb2.Money(currency=currency, amount="0")
        charge = price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=amount))
        fee = price_pb2.PriceComponent(
            name="Fee",
            kind=price_pb2.COMPONENT_KIND_FIXED,
            recurrence_rule="FREQ=MONTHLY",
            charge=charge,
        )
        return plan_pb2.NewPrice(currency=currency, components=[fee])

    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="free", name="Free", prices=[price("EUR"), price("USD"), price("JPY")]
        )
    )

    def sold_in(name: str, currency: str | None = None) -> str:
        holder = sign_up(candela, name)
        return candela.subscriptions.CreateSubscription(
            subscription_service_pb2.CreateSubscriptionRequest(
                customer=customer_pb2.CustomerRef(id=holder.id),
                plan=plan_pb2.PlanRef(slug="free"),
                currency=currency,
            )
        ).subscription.currency

    usual = sold_in("usual")
    changed = update(candela, Change(default_currency="EUR"))
    after = sold_in("after"), sold_in("names one", "JPY")
    update(candela, Change(default_currency="CHF"))
    [entry, *_] = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(subject_id=changed.id, action="merchant.updated")
    ).audit_entries

    assert changed.default_currency == "EUR"
    assert (usual, *after) == ("USD", "EUR", "JPY")
    # A plan that is not sold in the default currency is sold all the same.
    assert sold_in("no francs") in {"EUR", "USD", "JPY"}
    assert entry.after["default_currency"] == "CHF"


@pytest.mark.spec("OPS-2", "KEY-2")
def test_merchant_on_a_clock__shows_it_and_live_ones_have_none(
    candela: Client, live_server: LiveServer
) -> None:
    request = test_clock_service_pb2.CreateTestClockRequest(name="all of us")
    request.now_at.FromDatetime(datetime(2030, 5, 1, tzinfo=UTC))
    clock = candela.test_clocks.CreateTestClock(request).test_clock
    standing = update(candela, Change(test_clock_id=clock.id))
    acme = sign_up(candela, "Acme")
    off = update(candela, Change(test_clock_id=""))
    live = create_merchant_by_command(dict(live_server.server.environment), "Live", "live")
    with Client(live_server.address, live["secret_key"]) as client:
        got = refused(client, Change(test_clock_id=clock.id))

    assert standing.test_clock_id == acme.test_clock_id == clock.id
    assert acme.created_at.ToDatetime(UTC) == datetime(2030, 5, 1, tzinfo=UTC)
    assert not off.HasField("test_clock_id")
    assert got.reason == "ERROR_REASON_FORBIDDEN_LIVE_MODE"
