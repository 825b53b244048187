"""Taxes through the generated client, on real processes: settings, invoices, previews, credit notes (TAX-1, TAX-2)."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from candela import Client, Failure, failure_of
from candela.billing.v1 import (
    credit_note_pb2,
    credit_note_service_pb2,
    invoice_pb2,
    invoice_service_pb2,
    preview_service_pb2,
    tax_pb2,
    tax_service_pb2,
)
from candela.catalog.v1 import plan_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.merchant.v1 import audit_service_pb2
from candela.subscription.v1 import subscription_pb2, subscription_service_pb2

from demo.team_plan import team_plan
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.helpers.waiting import first

RATES = [
    tax_pb2.TaxRate(country="DE", name="USt", percent="19"),
    tax_pb2.TaxRate(country="FR", name="TVA", percent="20"),
    tax_pb2.TaxRate(country="US", region="NY", name="Sales tax", percent="8.875"),
]
MANUAL = tax_pb2.TaxSettings(
    mode=tax_pb2.TAX_MODE_MANUAL_RATES,
    rates=RATES,
    us_nexus_states=["NY"],
    seller_country="DE",
    seller_tax_id="DE136695976",
    seller_business_name="Kerze GmbH",
    seller_address=customer_pb2.Address(
        country="DE", city="Berlin", postal_code="10115", lines=["Dochtweg 3"]
    ),
)


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only, as settings are the merchant's."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Taxes")
    with Client(live_server.address, made["secret_key"]) as client:
        client.plans.CreatePlan(team_plan("team"))
        yield client


def update(
    candela: Client,
    wanted: tax_pb2.TaxSettings,
    *,
    expected_version: int | None = None,
    idempotency_key: str | None = None,
) -> tax_pb2.TaxSettings:
    request = tax_service_pb2.UpdateTaxSettingsRequest(
        tax_settings=wanted, expected_version=expected_version, idempotency_key=idempotency_key
    )
    return candela.taxes.UpdateTaxSettings(request).tax_settings


def read(candela: Client) -> tax_pb2.TaxSettings:
    return candela.taxes.GetTaxSettings(tax_service_pb2.GetTaxSettingsRequest()).tax_settings


def refused(
    candela: Client, wanted: tax_pb2.TaxSettings, *, expected_version: int | None = None
) -> Failure:
    """Why an update failed; it must fail, and change nothing."""
    before = read(candela)
    with pytest.raises(grpc.RpcError) as caught:
        update(candela, wanted, expected_version=expected_version)
    assert read(candela) == before
    return failure_of(caught.value)


def buys(
    candela: Client, country: str, region: str = "", tax_id: str | None = None, name: str = "Wax"
) -> str:
    """A new customer's subscription to one seat at 30.00."""
    customer = candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(
            name="Wax",
            business_name=name or None,
            tax_id=tax_id,
            address=customer_pb2.Address(country=country, region=region),
        )
    ).customer
    made = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug="team"),
            seats="1",
            collection_method=subscription_pb2.COLLECTION_METHOD_SEND_INVOICE,
        )
    )
    return made.subscription.id


def invoice_of(candela: Client, subscription_id: str) -> invoice_pb2.Invoice:
    """The subscription's first invoice, once the worker has made it."""
    request = invoice_service_pb2.ListInvoicesRequest(subscription_id=subscription_id)
    return first(lambda: candela.invoices.ListInvoices(request).invoices)[0]


@pytest.mark.spec("TAX-1", "TAX-2", "INV-1", "INV-8")
def test_invoices__are_taxed_by_where_the_buyer_is_and_what_it_shows(candela: Client) -> None:
    update(candela, MANUAL)
    sold = {
        "at home": buys(candela, "DE"),
        "abroad": buys(candela, "FR", tax_id="FR40303265045"),
        "abroad, mistyped": buys(candela, "FR", tax_id="FR41303265045"),
        "nexus": buys(candela, "US", "NY"),
        "no nexus": buys(candela, "US", "CA"),
        "consumer": buys(candela, "DE", name=""),
    }
    made = {who: invoice_of(candela, one) for who, one in sold.items()}

    def shown(invoice: invoice_pb2.Invoice) -> tuple[str, ...]:
        [tax] = invoice.taxes
        place = f"{tax.country}{tax.region}"
        return (place, tax.name, tax.percent, tax.amount.amount, invoice.total.amount, tax.reason)

    assert {who: shown(one) for who, one in made.items()} == {
        "at home": ("DE", "USt", "19", "5.7", "35.7", ""),
        "abroad": ("FR", "", "0", "0", "30", "reverse_charge"),
        "abroad, mistyped": ("FR", "TVA", "20", "6", "36", "vat_id_invalid"),
        "nexus": ("USNY", "Sales tax", "8.875", "2.66", "32.66", ""),  # 2.6625
        "no nexus": ("USCA", "", "0", "0", "30", "no_us_nexus"),
        "consumer": ("DE", "", "0", "0", "30", "b2c_tax_not_supported"),
    }
    assert made["at home"].amount_due.amount == "35.7"
    assert made["at home"].seller.tax_id == "DE136695976"
    assert [line.tax_amount.amount for line in made["at home"].lines] == ["5.7"]
    pdf = candela.invoices.RenderInvoicePdf(
        invoice_service_pb2.RenderInvoicePdfRequest(invoice_id=made["abroad"].id)
    )
    assert pdf.pdf.startswith(b"%PDF")


@pytest.mark.spec("TAX-2", "INV-5", "INV-6", "INV-8")
def test_prices_with_tax__are_previewed_credited_and_reissued_as_they_are(candela: Client) -> None:
    wanted = tax_pb2.TaxSettings(
        mode=tax_pb2.TAX_MODE_DEFAULT_RATE,
        default_name="USt",
        default_percent="19",
        seller_country="DE",
        prices_include_tax=True,
    )
    update(candela, wanted)
    subscription_id = buys(candela, "DE")
    one = invoice_of(candela, subscription_id)
    shown = candela.previews.PreviewNextInvoice(
        preview_service_pb2.PreviewNextInvoiceRequest(subscription_id=subscription_id)
    ).invoice
    update(candela, MANUAL)
    line = credit_note_pb2.CreditNoteLine(
        invoice_line_id=one.lines[0].id, amount=one.lines[0].amount
    )
    line.amount.amount = "10"
    note = candela.credit_notes.CreateCreditNote(
        credit_note_service_pb2.CreateCreditNoteRequest(
            invoice_id=one.id,
            lines=[line],
            use=credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE,
            reason=credit_note_pb2.CREDIT_NOTE_REASON_OTHER,
        )
    ).credit_note
    other = invoice_of(candela, buys(candela, "DE"))
    reissued = candela.invoices.ReissueInvoice(
        invoice_service_pb2.ReissueInvoiceRequest(invoice_id=other.id, reason="wrong rate")
    )

    for invoice in (one, shown):
        [tax] = invoice.taxes
        assert (invoice.subtotal.amount, invoice.total.amount) == ("30", "30")
        assert (tax.amount.amount, tax.base.amount, tax.inclusive) == ("4.79", "25.21", True)
    # 4.79 × 10 ÷ 30 = 1.5966…
    assert (note.total.amount, note.subtotal.amount) == ("10", "10")
    [given_back] = note.taxes
    assert (given_back.percent, given_back.amount.amount, given_back.base.amount) == (
        "19",
        "1.6",
        "8.4",
    )
    assert reissued.draft.total == reissued.voided.total


@pytest.mark.spec("TAX-2", "AUD-1", "AUD-2")
def test_settings__are_replaced_whole_versioned_audited_and_idempotent(candela: Client) -> None:
    fresh = read(candela)
    first = update(candela, MANUAL, idempotency_key="once")
    again = update(candela, MANUAL, idempotency_key="once")
    wanted = tax_pb2.TaxSettings(mode=tax_pb2.TAX_MODE_NONE)
    second = update(candela, wanted, expected_version=1)
    stale = refused(candela, MANUAL, expected_version=1)
    trail = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest()
    ).audit_entries
    changes = [one for one in trail if one.action == "tax_settings.updated"]

    assert fresh == tax_pb2.TaxSettings(mode=tax_pb2.TAX_MODE_NONE)
    assert first == again
    assert (first.version, list(first.rates)) == (1, RATES)
    assert second == read(candela) == tax_pb2.TaxSettings(mode=tax_pb2.TAX_MODE_NONE, version=2)
    assert (stale.code, stale.reason) == (
        grpc.StatusCode.ABORTED,
        "ERROR_REASON_VERSION_MISMATCH",
    )
    assert sorted((one.before["version"], one.after["version"]) for one in changes) == [
        (0, 1),
        (1, 2),
    ]


@pytest.mark.spec("TAX-2")
def test_automatic_taxes__are_not_served_until_payments_are(candela: Client) -> None:
    failure = refused(candela, tax_pb2.TaxSettings(mode=tax_pb2.TAX_MODE_AUTOMATIC))

    assert failure.code == grpc.StatusCode.UNIMPLEMENTED
    assert "TAX-2, PAY-1" in failure.message


@pytest.mark.spec("TAX-2")
def test_wrong_settings__are_refused_naming_every_field(candela: Client) -> None:
    wrong = tax_pb2.TaxSettings(
        mode=tax_pb2.TAX_MODE_DEFAULT_RATE,
        rates=[
            tax_pb2.TaxRate(country="Germany", percent="19"),
            tax_pb2.TaxRate(country="DE", percent="101"),
            tax_pb2.TaxRate(country="DE", percent="1e1"),
            tax_pb2.TaxRate(country="US", region="California", percent="7.25"),
        ],
        us_nexus_states=["NY", "Texas"],
        seller_address=customer_pb2.Address(country="Germany", lines=["1", "2", "3", "4", "5"]),
    )
    failure = refused(candela, wrong)
    no_rates = refused(
        candela,
        tax_pb2.TaxSettings(mode=tax_pb2.TAX_MODE_MANUAL_RATES, seller_country="DE"),
    )

    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in failure.fields} == {
        "tax_settings.default_percent",
        "tax_settings.seller_country",
        "tax_settings.seller_address.country",
        "tax_settings.seller_address.lines",
        "tax_settings.rates[0].country",
        "tax_settings.rates[1].percent",
        "tax_settings.rates[2]",  # DE has a rate already
        "tax_settings.rates[2].percent",
        "tax_settings.rates[3].region",
        "tax_settings.us_nexus_states[1]",
    }
    assert [one.field for one in no_rates.fields] == ["tax_settings.rates"]
