"""Unpaid and wrong invoices through the generated client, on real processes (INV-4 to INV-7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest
from candela import Client
from candela.billing.v1 import (
    billing_run_pb2,
    billing_run_service_pb2,
    credit_note_pb2,
    credit_note_service_pb2,
    invoice_pb2,
    invoice_service_pb2,
    preview_service_pb2,
)
from candela.catalog.v1 import plan_pb2
from candela.credit.v1 import credit_service_pb2
from candela.customer.v1 import customer_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.subscription.v1 import subscription_pb2, subscription_service_pb2

from demo.team_plan import sign_up, team_plan
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.helpers.waiting import first


@pytest.fixture
def key(live_server: LiveServer) -> str:
    """A merchant of this test only, so that numbers begin at 1."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Corrections")
    return made["secret_key"]


@pytest.fixture
def candela(live_server: LiveServer, key: str) -> Iterator[Client]:
    with Client(live_server.address, key) as client:
        client.plans.CreatePlan(team_plan("team"))
        yield client


def subscribe(candela: Client, customer: customer_pb2.Customer, seats: str) -> str:
    made = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug="team"),
            seats=seats,
            collection_method=subscription_pb2.COLLECTION_METHOD_SEND_INVOICE,
            allow_duplicate=True,
        )
    )
    return made.subscription.id


def invoice_of(candela: Client, subscription_id: str) -> invoice_pb2.Invoice:
    """The subscription's first invoice, once the worker has made it."""

    def look() -> invoice_pb2.Invoice | None:
        found = candela.invoices.ListInvoices(
            invoice_service_pb2.ListInvoicesRequest(subscription_id=subscription_id)
        )
        return found.invoices[0] if found.invoices else None

    return first(look)


@pytest.mark.spec("INV-4", "INV-6", "INV-7")
def test_unpaid_invoice__is_corrected_paid_voided_and_reissued(
    candela: Client, live_server: LiveServer, key: str
) -> None:
    customer = sign_up(candela, "initech", {})
    first = invoice_of(candela, subscribe(candela, customer, "5"))
    line = first.lines[0]

    half = credit_note_pb2.CreditNoteLine(invoice_line_id=line.id, amount=line.amount)
    half.amount.amount = "75"
    wanted = {
        "invoice_id": first.id,
        "lines": [half],
        "reason": credit_note_pb2.CREDIT_NOTE_REASON_UNSATISFACTORY,
    }
    shown = candela.credit_notes.PreviewCreditNote(
        credit_note_service_pb2.PreviewCreditNoteRequest(
            use=credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE, **wanted
        )
    ).credit_note
    note = candela.credit_notes.CreateCreditNote(
        credit_note_service_pb2.CreateCreditNoteRequest(
            use=credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE, **wanted
        )
    ).credit_note
    paid = candela.invoices.MarkInvoicePaid(
        invoice_service_pb2.MarkInvoicePaidRequest(invoice_id=first.id, reference="wire 7")
    ).invoice
    on_account = candela.credit_notes.CreateCreditNote(
        credit_note_service_pb2.CreateCreditNoteRequest(
            invoice_id=first.id,
            use=credit_note_pb2.CREDIT_NOTE_USE_CREDIT_BALANCE,
            reason=credit_note_pb2.CREDIT_NOTE_REASON_OTHER,
        )
    ).credit_note
    entitled = candela.is_feature_entitled("premium-messages", customer_id=customer.id)
    second = invoice_of(candela, subscribe(candela, customer, "3"))
    reissued = candela.invoices.ReissueInvoice(
        invoice_service_pb2.ReissueInvoiceRequest(invoice_id=second.id, reason="wrong address")
    )
    final = candela.invoices.FinalizeInvoice(
        invoice_service_pb2.FinalizeInvoiceRequest(invoice_id=reissued.draft.id)
    ).invoice
    lost = candela.invoices.WriteOffInvoice(
        invoice_service_pb2.WriteOffInvoiceRequest(invoice_id=final.id, reason="bankrupt")
    ).invoice
    notes = candela.credit_notes.ListCreditNotes(
        credit_note_service_pb2.ListCreditNotesRequest(invoice_id=first.id)
    ).credit_notes
    grants = candela.credits.ListGrants(
        credit_service_pb2.ListGrantsRequest(customer=customer_pb2.CustomerRef(id=customer.id))
    ).grants

    assert entitled  # money on account is no allowance, and does not disturb one
    assert (shown.id, shown.total) == ("", note.total)
    assert (note.number, note.total.amount, on_account.number) == ("CN-000001", "75", "CN-000002")
    assert (paid.status, paid.amount_due.amount) == (invoice_pb2.INVOICE_STATUS_PAID, "0")
    assert second.amount_due.amount == "15"  # 3 × 30.00 − 75.00 on account
    assert reissued.voided.status == invoice_pb2.INVOICE_STATUS_VOID
    assert (final.number, final.amount_due.amount) == ("INV-000003", "15")
    assert (lost.status, lost.amount_due.amount) == (
        invoice_pb2.INVOICE_STATUS_UNCOLLECTIBLE,
        "15",
    )
    assert list(notes) == [note, on_account]
    assert [one for one in grants if one.currency] == []  # the account is used up
    for path in (f"invoices/{first.id}", f"credit-notes/{note.id}"):
        answer = httpx.get(
            f"http://{live_server.http_address}/v1/{path}/pdf",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert (answer.status_code, answer.content[:5]) == (200, b"%PDF-")
    with pytest.raises(grpc.RpcError, match="is uncollectible and cannot be voided"):
        candela.invoices.VoidInvoice(
            invoice_service_pb2.VoidInvoiceRequest(invoice_id=final.id, reason="too late")
        )


@pytest.mark.spec("INV-5", "INV-1")
def test_next_invoice__is_shown_with_the_usage_so_far(candela: Client) -> None:
    customer = sign_up(candela, "globex", {})
    subscription_id = subscribe(candela, customer, "1")
    invoice_of(candela, subscription_id)
    ask = preview_service_pb2.PreviewNextInvoiceRequest(subscription_id=subscription_id)
    before = candela.previews.PreviewNextInvoice(ask).invoice
    candela.ingestion.RecordEvent(
        ingestion_service_pb2.RecordEventRequest(
            event=event_pb2.Event(
                idempotency_key="e1",
                name="premium-message",
                customer_id=customer.id,
                value="150",
            )
        )
    )
    after = candela.previews.PreviewNextInvoice(ask).invoice

    assert (before.total.amount, after.total.amount) == ("30", "40")  # (150 − 100) × 0.20
    assert after.id == ""
    assert after.created_at.ToDatetime(UTC) > datetime.now(UTC) + timedelta(days=27)


@pytest.mark.spec("INV-1")
def test_billing_run__is_carried_out_by_the_worker(candela: Client) -> None:
    started = candela.billing_runs.StartBillingRun(
        billing_run_service_pb2.StartBillingRunRequest()
    ).billing_run

    def look() -> billing_run_pb2.BillingRun | None:
        run = candela.billing_runs.GetBillingRun(
            billing_run_service_pb2.GetBillingRunRequest(billing_run_id=started.id)
        ).billing_run
        return run if run.status != billing_run_pb2.BILLING_RUN_STATUS_RUNNING else None

    assert first(look).status == billing_run_pb2.BILLING_RUN_STATUS_DONE
