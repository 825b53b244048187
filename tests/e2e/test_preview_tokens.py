"""What a preview showed is what its token does: of a beginning, a pause, its end, a return and an end called off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import (
    credit_note_service_pb2,
    invoice_pb2,
    invoice_service_pb2,
    preview_service_pb2,
)
from candela.catalog.v1 import plan_pb2, price_service_pb2
from candela.customer.v1 import customer_pb2
from candela.subscription.v1 import (
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from tests.e2e.test_changes import INVOICE_NOW, NOW, Life, fixed, sell
from tests.helpers.servers import LiveServer, create_merchant_by_command

Preview = preview_service_pb2.PreviewSubscriptionChangeRequest


@pytest.fixture
def life(live_server: LiveServer) -> Iterator[Life]:
    """A subscription to "basic", 20 dollars a month, of a merchant of this test only, on a clock of 1 April 2026."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Tokens")
    with Client(live_server.address, made["secret_key"]) as client:
        sell(client, "basic", "20")
        sell(client, "pro", "50")
        yield Life(client)


def seen(life: Life, **change: object) -> preview_service_pb2.PreviewSubscriptionChangeResponse:
    return life.candela.previews.PreviewSubscriptionChange(Preview(**change))  # type: ignore[arg-type]


def invoices(life: Life) -> list[invoice_pb2.Invoice]:
    request = invoice_service_pb2.ListInvoicesRequest(
        customer=customer_pb2.CustomerRef(id=life.customer.id)
    )
    return list(life.candela.invoices.ListInvoices(request).invoices)


def said(one: invoice_pb2.Invoice) -> list[tuple[str, str, int]]:
    """What its lines say and come to, and since when."""
    return [
        (line.description, line.amount.amount, line.period.start_at.seconds) for line in one.lines
    ]


def beginning(
    life: Life, *, allow_duplicate: bool = False, preview_token: str | None = None
) -> subscription_service_pb2.CreateSubscriptionRequest:
    return subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=life.customer.id),
        plan=plan_pb2.PlanRef(slug="pro"),
        time_zone="UTC",
        allow_duplicate=allow_duplicate,
        preview_token=preview_token,
    )


@pytest.mark.spec("SUB-1", "SUB-6")
def test_beginning_as_previewed__begins_at_that_instant_and_bills_exactly_that(life: Life) -> None:
    life.go_to(4, 2)
    wanted = beginning(life)
    shown = seen(life, create_subscription=wanted)
    before = life.totals()
    wanted.preview_token = shown.preview_token
    wanted.reason = "as agreed"
    made = life.candela.subscriptions.CreateSubscription(wanted).subscription
    at_once = invoices(life)[-1]

    assert before == ["20"]
    assert [one.total.amount for one in shown.invoices] == ["50"]
    assert made.valid_from_at.ToDatetime(UTC) == datetime(2026, 4, 2, 12, tzinfo=UTC)
    # It is made with the subscription: no worker has to come first.
    assert said(at_once) == said(shown.invoices[0])
    assert said(at_once) != []
    life.go_to(5, 2)
    assert sorted(life.totals()) == ["20", "20", "50", "50"]
    assert said(invoices(life)[-1]) == said(shown.next_invoice)


@pytest.mark.spec("SUB-1", "SUB-6", "CAT-5")
def test_beginning_that_is_another_or_dearer_or_late__is_stale(life: Life) -> None:
    wanted = beginning(life)
    token = seen(life, create_subscription=wanted).preview_token
    other = beginning(life, allow_duplicate=True, preview_token=token)
    life.candela.prices.CreatePrice(
        price_service_pb2.CreatePriceRequest(
            plan=plan_pb2.PlanRef(slug="pro"),
            price=plan_pb2.NewPrice(currency="USD", components=[fixed("Pro", "60")]),
        )
    )
    dearer = beginning(life, preview_token=token)
    late = beginning(life)
    late.preview_token = seen(life, create_subscription=late).preview_token

    def refused(request: subscription_service_pb2.CreateSubscriptionRequest) -> str:
        with pytest.raises(grpc.RpcError) as caught:
            life.candela.subscriptions.CreateSubscription(request)
        return failure_of(caught.value).reason

    found = [refused(other), refused(dearer)]
    life.go_to(4, 2)
    assert [*found, refused(late)] == ["ERROR_REASON_PREVIEW_TOKEN_STALE"] * 3
    assert life.totals() == ["20"]


@pytest.mark.spec("SUB-6", "SUB-7")
def test_pause_and_its_end_as_previewed__bill_exactly_that(life: Life) -> None:
    changes = subscription_change_pb2
    life.go_to(4, 11)
    pause = changes.PauseSubscriptionRequest(subscription_id=life.id, proration=INVOICE_NOW)
    paused = seen(life, pause_subscription=pause)
    pause.preview_token = paused.preview_token
    life.candela.subscriptions.PauseSubscription(pause)
    after_pause = invoices(life)[1:]
    life.go_to(4, 21)
    resume = changes.ResumeSubscriptionRequest(subscription_id=life.id, proration=INVOICE_NOW)
    resumed = seen(life, resume_subscription=resume)
    resume.preview_token = resumed.preview_token
    life.candela.subscriptions.ResumeSubscription(resume)
    after_both = invoices(life)[1 + len(after_pause) :]

    assert [said(one) for one in after_pause] == [said(one) for one in paused.invoices]
    assert [said(one) for one in after_both] == [said(one) for one in resumed.invoices]
    assert life.read().status == subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE
    # Ten of thirty days of 20 dollars come off the next one.
    life.go_to(5, 1)
    assert resumed.next_invoice.total.amount == "13.33"
    assert said(invoices(life)[-1]) == said(resumed.next_invoice)


@pytest.mark.spec("SUB-6")
def test_return_as_previewed__counts_from_that_instant_and_bills_that_next(life: Life) -> None:
    changes = subscription_change_pb2
    life.candela.subscriptions.CancelSubscription(
        changes.CancelSubscriptionRequest(subscription_id=life.id, when=NOW)
    )
    life.go_to(4, 11)
    again = changes.ReactivateSubscriptionRequest(subscription_id=life.id)
    shown = seen(life, reactivate_subscription=again)
    again.preview_token = shown.preview_token
    made = life.candela.subscriptions.ReactivateSubscription(again).subscription
    other = changes.ReactivateSubscriptionRequest(
        subscription_id=life.id, preview_token=shown.preview_token
    )
    with pytest.raises(grpc.RpcError) as caught:
        life.candela.subscriptions.ReactivateSubscription(other)

    assert made.anchor_at.ToDatetime(UTC) == datetime(2026, 4, 11, 12, tzinfo=UTC)
    assert failure_of(caught.value).reason == "ERROR_REASON_VERSION_MISMATCH"
    life.go_to(4, 12)
    assert said(invoices(life)[-1]) == said(shown.next_invoice)


@pytest.mark.spec("SUB-6")
def test_end_called_off_as_previewed__goes_on_unless_it_was_changed_since(life: Life) -> None:
    changes = subscription_change_pb2
    life.go_to(4, 2)

    def end() -> None:
        request = changes.CancelSubscriptionRequest(subscription_id=life.id)
        life.candela.subscriptions.CancelSubscription(request)

    end()
    undo = changes.UndoCancellationRequest(subscription_id=life.id)
    stale = seen(life, undo_cancellation=undo)
    unchanged = life.read()
    life.candela.subscriptions.UndoCancellation(undo)
    end()
    late = changes.UndoCancellationRequest(
        subscription_id=life.id, preview_token=stale.preview_token
    )
    with pytest.raises(grpc.RpcError) as caught:
        life.candela.subscriptions.UndoCancellation(late)
    undo = changes.UndoCancellationRequest(subscription_id=life.id)
    shown = seen(life, undo_cancellation=undo)
    undo.preview_token = shown.preview_token
    going_on = life.candela.subscriptions.UndoCancellation(undo).subscription

    assert unchanged.HasField("cancel_at")
    assert failure_of(caught.value).reason == "ERROR_REASON_VERSION_MISMATCH"
    assert (list(shown.invoices), list(shown.credit_notes)) == ([], [])
    assert not going_on.HasField("cancel_at")
    life.go_to(5, 1)
    assert said(invoices(life)[-1]) == said(shown.next_invoice)
    notes = life.candela.credit_notes.ListCreditNotes(
        credit_note_service_pb2.ListCreditNotesRequest()
    ).credit_notes
    assert list(notes) == []
