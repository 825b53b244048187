"""Subscriptions are changed through the generated client, with a server, a worker and a test clock (SUB-4 to SUB-6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import (
    credit_note_service_pb2,
    invoice_service_pb2,
    preview_service_pb2,
)
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.customer.v1 import customer_pb2, user_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.subscription.v1 import (
    scheduled_change_pb2,
    seat_service_pb2,
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from demo.team_plan import sign_up, usd
from tests.e2e.test_migrations import advance
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

START = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOW, AT = subscription_pb2.EFFECTIVE_TIME_NOW, subscription_pb2.EFFECTIVE_TIME_AT
INVOICE_NOW = subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW


def fixed(name: str, amount: str) -> price_pb2.PriceComponent:
    return price_pb2.PriceComponent(
        name=name,
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule="FREQ=MONTHLY",
        charge=price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd(amount))),
    )


def sell(candela: Client, slug: str, amount: str, *features: plan_pb2.PlanFeatureInput) -> str:
    """A plan at a monthly price; the price's id."""
    made = candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug=slug,
            name=slug,
            features=features,
            prices=[plan_pb2.NewPrice(currency="USD", components=[fixed(slug.title(), amount)])],
        )
    )
    return made.prices[0].id


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only, who sells "basic" at 20 and "pro" with reports at 50 dollars."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Changing")
    with Client(live_server.address, made["secret_key"]) as client:
        sell(client, "basic", "20")
        reports = feature_pb2.NewFeature(
            slug="reports", name="Reports", type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
        sell(client, "pro", "50", plan_pb2.PlanFeatureInput(new_feature=reports))
        yield client


class Life:
    """One subscription to "basic" on a test clock that begins on 1 April 2026."""

    def __init__(self, candela: Client) -> None:
        self.candela = candela
        request = test_clock_service_pb2.CreateTestClockRequest(name="changes")
        request.now_at.FromDatetime(START)
        self.clock_id = candela.test_clocks.CreateTestClock(request).test_clock.id
        self.user = fresh("user")
        company = fresh("company")
        self.customer = sign_up(candela, company, {self.user: "Ada"}, self.clock_id)
        self.id = candela.subscriptions.CreateSubscription(
            subscription_service_pb2.CreateSubscriptionRequest(
                customer=customer_pb2.CustomerRef(id=self.customer.id),
                plan=plan_pb2.PlanRef(slug="basic"),
                time_zone="UTC",
            )
        ).subscription.id

    def go_to(self, month: int, day: int) -> None:
        advance(self.candela, self.clock_id, datetime(2026, month, day, 12, tzinfo=UTC))

    def pay(self) -> None:
        """Everything that is open: what is overdue would change the subscription (ENT-10)."""
        request = invoice_service_pb2.ListInvoicesRequest(
            customer=customer_pb2.CustomerRef(id=self.customer.id)
        )
        for one in self.candela.invoices.ListInvoices(request).invoices:
            self.candela.invoices.MarkInvoicePaid(
                invoice_service_pb2.MarkInvoicePaidRequest(invoice_id=one.id)
            )

    def to_pro(
        self,
        *,
        proration: subscription_pb2.ProrationBehavior | None = None,
        preview_token: str | None = None,
        idempotency_key: str | None = None,
    ) -> subscription_change_pb2.ChangePlanRequest:
        return subscription_change_pb2.ChangePlanRequest(
            subscription_id=self.id,
            plan=plan_pb2.PlanRef(slug="pro"),
            proration=proration,
            preview_token=preview_token,
            idempotency_key=idempotency_key,
        )

    def totals(self) -> list[str]:
        request = invoice_service_pb2.ListInvoicesRequest(
            customer=customer_pb2.CustomerRef(id=self.customer.id)
        )
        return [one.total.amount for one in self.candela.invoices.ListInvoices(request).invoices]

    def reports(self) -> bool:
        return self.candela.is_feature_entitled("reports", user_id=self.user)

    def read(self) -> subscription_pb2.Subscription:
        request = subscription_service_pb2.GetSubscriptionRequest(subscription_id=self.id)
        return self.candela.subscriptions.GetSubscription(request).subscription


@pytest.fixture
def life(candela: Client) -> Life:
    return Life(candela)


@pytest.mark.spec("SUB-6", "SEAT-1", "SEAT-2", "SDK-1")
def test_upgrade_as_previewed__bills_exactly_that_and_grants_at_once(life: Life) -> None:
    life.go_to(4, 11)
    change = life.to_pro(proration=INVOICE_NOW)
    preview = life.candela.previews.PreviewSubscriptionChange(
        preview_service_pb2.PreviewSubscriptionChangeRequest(change_plan=change)
    )
    before = (life.reports(), life.totals())
    change.preview_token = preview.preview_token
    changed = life.candela.subscriptions.ChangePlan(change).subscription

    # 20 of 30 days: −20.00 × 20 ÷ 30 + 50.00 × 20 ÷ 30 = −13.33 + 33.33
    assert before == (False, ["20"])
    assert [one.total.amount for one in preview.invoices] == ["20"]
    assert preview.next_invoice.total.amount == "50"
    assert life.totals() == ["20", "20"]
    assert life.reports() is True
    assert changed.version == 2
    life.go_to(5, 1)
    assert life.totals() == ["20", "20", "50"]


@pytest.mark.spec("SUB-6")
def test_preview_that_is_overtaken__is_stale(life: Life) -> None:
    life.go_to(4, 11)
    change = life.to_pro(proration=INVOICE_NOW)
    token = life.candela.previews.PreviewSubscriptionChange(
        preview_service_pb2.PreviewSubscriptionChangeRequest(change_plan=change)
    ).preview_token
    other = life.to_pro(preview_token=token)
    life.go_to(4, 12)
    late = life.to_pro(proration=INVOICE_NOW, preview_token=token)

    for request in (other, late):
        with pytest.raises(grpc.RpcError) as caught:
            life.candela.subscriptions.ChangePlan(request)
        assert failure_of(caught.value).reason == "ERROR_REASON_PREVIEW_TOKEN_STALE"
    assert life.read().version == 1


@pytest.mark.spec("SUB-5", "OPS-2")
def test_scheduled_changes__are_listed_called_off_and_made_as_time_passes(life: Life) -> None:
    subscriptions = life.candela.subscriptions
    due_at = datetime(2026, 4, 21, tzinfo=UTC)
    schedule = scheduled_change_pb2.ScheduleChangeRequest(
        subscription_id=life.id,
        moment=scheduled_change_pb2.CHANGE_MOMENT_AT,
        change_plan=life.to_pro(),
        reason="as agreed",
    )
    schedule.due_at.FromDatetime(due_at)
    first = subscriptions.ScheduleChange(schedule).scheduled_change
    pause = scheduled_change_pb2.ScheduleChangeRequest(
        subscription_id=life.id,
        moment=scheduled_change_pb2.CHANGE_MOMENT_NEXT_BILLING,
        pause=subscription_change_pb2.PauseSubscriptionRequest(),
    )
    second = subscriptions.ScheduleChange(pause).scheduled_change
    listing = scheduled_change_pb2.ListScheduledChangesRequest(subscription_id=life.id)
    listed = [one.id for one in subscriptions.ListScheduledChanges(listing).scheduled_changes]
    called_off = subscriptions.CancelScheduledChange(
        scheduled_change_pb2.CancelScheduledChangeRequest(scheduled_change_id=second.id)
    ).scheduled_change
    life.go_to(4, 2)
    life.pay()
    life.go_to(5, 1)
    listing.include_ended = True
    ended = subscriptions.ListScheduledChanges(listing).scheduled_changes

    assert listed == [first.id, second.id]
    assert called_off.status == scheduled_change_pb2.SCHEDULED_CHANGE_STATUS_CANCELED
    assert [one.status for one in ended] == [
        scheduled_change_pb2.SCHEDULED_CHANGE_STATUS_APPLIED,
        scheduled_change_pb2.SCHEDULED_CHANGE_STATUS_CANCELED,
    ]
    now = life.read()
    assert now.valid_from_at.ToDatetime(UTC) == due_at
    assert (now.reason, now.status) == ("as agreed", subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE)
    # 10 of 30 days: −6.67 + 16.67, and 50.00 for May
    assert life.totals() == ["20", "60"]


@pytest.mark.spec("SUB-6", "SUB-7", "SUB-3")
def test_life_of_a_subscription__pauses_ends_and_begins_again(life: Life) -> None:
    subscriptions, changes = life.candela.subscriptions, subscription_change_pb2
    subscriptions.ChangePlan(life.to_pro())
    seen = [life.reports()]
    subscriptions.PauseSubscription(changes.PauseSubscriptionRequest(subscription_id=life.id))
    seen.append(life.reports())
    subscriptions.ResumeSubscription(changes.ResumeSubscriptionRequest(subscription_id=life.id))
    seen.append(life.reports())
    ending = subscriptions.CancelSubscription(
        changes.CancelSubscriptionRequest(subscription_id=life.id)
    ).subscription
    seen.append(life.reports())
    subscriptions.UndoCancellation(changes.UndoCancellationRequest(subscription_id=life.id))
    at_once = changes.CancelSubscriptionRequest(subscription_id=life.id, when=NOW, reason="enough")
    shown = life.candela.previews.PreviewSubscriptionChange(
        preview_service_pb2.PreviewSubscriptionChangeRequest(cancel_subscription=at_once)
    )
    at_once.preview_token = shown.preview_token
    ended = subscriptions.CancelSubscription(at_once).subscription
    made = life.candela.credit_notes.ListCreditNotes(
        credit_note_service_pb2.ListCreditNotesRequest()
    ).credit_notes
    seen.append(life.reports())
    with pytest.raises(grpc.RpcError) as caught:
        subscriptions.PauseSubscription(changes.PauseSubscriptionRequest(subscription_id=life.id))
    again = subscriptions.ReactivateSubscription(
        changes.ReactivateSubscriptionRequest(subscription_id=life.id)
    ).subscription
    seen.append(life.reports())
    history = subscriptions.ListSubscriptionVersions(
        subscription_service_pb2.ListSubscriptionVersionsRequest(subscription_id=life.id)
    ).versions

    assert [one.total for one in shown.credit_notes] == [one.total for one in made]
    assert seen == [True, False, True, True, False, True]
    assert ending.cancel_at.ToDatetime(UTC) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert (ended.status, ended.reason) == (
        subscription_pb2.SUBSCRIPTION_STATUS_CANCELED,
        "enough",
    )
    assert failure_of(caught.value).reason == "ERROR_REASON_SUBSCRIPTION_TRANSITION_REFUSED"
    assert (again.status, again.version) == (subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE, 8)
    assert [one.version for one in history] == list(range(1, 9))


@pytest.mark.spec("SUB-6")
def test_change_with_the_same_key__is_made_once(life: Life) -> None:
    life.go_to(4, 11)
    change = life.to_pro(proration=INVOICE_NOW, idempotency_key="once")

    answers = [life.candela.subscriptions.ChangePlan(change) for _ in range(3)]

    assert {one.subscription.version for one in answers} == {2}
    assert life.totals() == ["20", "20"]


@pytest.mark.spec("TRL-2", "TRL-1")
def test_trial__becomes_the_paid_plan_on_the_test_clock(life: Life) -> None:
    candela = life.candela
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="pro-trial",
            name="Pro trial",
            is_trial_plan=True,
            trial_parent_plan=plan_pb2.PlanRef(slug="pro"),
            trial_days=14,
            prices=[plan_pb2.NewPrice(currency="USD", components=[fixed("Trial", "0")])],
        )
    )
    trial = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=life.customer.id),
            plan=plan_pb2.PlanRef(slug="pro-trial"),
            time_zone="UTC",
        )
    ).subscription
    listing = scheduled_change_pb2.ListScheduledChangesRequest(subscription_id=trial.id)
    [end] = candela.subscriptions.ListScheduledChanges(listing).scheduled_changes
    life.go_to(4, 15)
    request = subscription_service_pb2.GetSubscriptionRequest(subscription_id=trial.id)
    after = candela.subscriptions.GetSubscription(request).subscription

    assert trial.status == subscription_pb2.SUBSCRIPTION_STATUS_TRIALING
    assert end.change_plan.plan.id == after.plan_id
    assert after.status == subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE
    assert after.anchor_at.ToDatetime(UTC) == datetime(2026, 4, 15, 12, tzinfo=UTC)
    assert sorted(life.totals(), key=float) == ["0", "20", "50"]


@pytest.mark.spec("SEAT-4", "SEAT-3")
def test_seats__are_held_by_users_and_not_taken_from_them(life: Life) -> None:
    candela = life.candela
    per_seat = price_pb2.PriceComponent(
        name="Seat",
        kind=price_pb2.COMPONENT_KIND_PER_UNIT,
        recurrence_rule="FREQ=MONTHLY",
        charge=price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=usd("10"))),
        seats=price_pb2.SeatTerms(bill_immediately=True),
    )
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(
            slug="team",
            name="Team",
            prices=[plan_pb2.NewPrice(currency="USD", components=[per_seat])],
        )
    )
    team = candela.subscriptions.CreateSubscription(
        subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=life.customer.id),
            plan=plan_pb2.PlanRef(slug="team"),
            time_zone="UTC",
        )
    ).subscription
    life.go_to(4, 16)
    seat = candela.seats.AssignSeat(
        seat_service_pb2.AssignSeatRequest(
            subscription_id=team.id, user=user_pb2.UserRef(external_id=life.user)
        )
    ).seat

    def hold(count: str) -> subscription_pb2.Subscription:
        request = subscription_change_pb2.ChangeQuantityRequest(subscription_id=team.id)
        component_id = team.quantities[0].price_component_id
        request.quantities.add(price_component_id=component_id, quantity=count)
        return candela.subscriptions.ChangeQuantity(request).subscription

    with pytest.raises(grpc.RpcError) as caught:
        hold("0")
    more = hold("3")
    listing = seat_service_pb2.ListSeatsRequest(subscription_id=team.id)
    held = [one.user_id for one in candela.seats.ListSeats(listing).seats]
    released = candela.seats.ReleaseSeat(
        seat_service_pb2.ReleaseSeatRequest(
            subscription_id=team.id, user=user_pb2.UserRef(external_id=life.user)
        )
    ).seat

    refused = failure_of(caught.value)
    assert refused.reason == "ERROR_REASON_SEATS_IN_USE"
    assert refused.metadata["users"] == seat.user_id
    assert held == [seat.user_id]
    assert released.HasField("released_at")
    assert more.quantities[0].quantity == "3"
    # 15 of 30 days of two seats
    assert sorted(life.totals(), key=float) == ["10", "10", "20"]
