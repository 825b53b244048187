"""The S3 scenario: from a free plan over a trial to Pro, and on to a negotiated enterprise price, with its invoices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from candela import Client
from candela.billing.v1 import invoice_service_pb2, preview_service_pb2
from candela.catalog.v1 import plan_pb2, price_service_pb2
from candela.customer.v1 import customer_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.metering.v1 import event_pb2
from candela.subscription.v1 import (
    subscription_change_pb2,
    subscription_pb2,
    subscription_service_pb2,
)
from rich.console import Console
from rich.table import Table

from . import growth_plans
from .shown import advance, invoice_table
from .team_plan import sign_up

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRIAL_FROM = datetime(2026, 3, 10, 12, tzinfo=UTC)
PRO_FROM = TRIAL_FROM + timedelta(days=growth_plans.TRIAL_DAYS)
RENEWAL = datetime(2026, 4, 24, 12, tzinfo=UTC)
QUOTE = datetime(2026, 5, 4, 12, tzinfo=UTC)
END = datetime(2026, 5, 24, 12, tzinfo=UTC)
CALLS = 12_500
EXPECTED = (
    "0.00",  # Free
    "0.00",  # and its calls up to the cancellation
    "0.00",  # the trial
    "49.00",  # Pro, in advance, from the trial's end
    "54.00",  # 49.00 + 12,500 × 0.002 − 10,000 included × 0.002
    "234.00",  # 20 of 30 days: 400.00 × 20 ÷ 30 − 49.00 × 20 ÷ 30 = 266.67 − 32.67
    "400.00",  # Enterprise, in advance
)


class Growth:
    """One run; everything it makes carries `name`."""

    def __init__(self, candela: Client, name: str) -> None:
        self._candela = candela
        self._name = name
        self._user = f"gavin-{name}"
        self._console = Console(highlight=False, soft_wrap=True)
        self._checks = Table("when", "plan", "reports", "api calls left")

    def run(self) -> bool:
        """Runs every step and tells whether each invoice is what the arithmetic above says."""
        growth_plans.sell(self._candela, self._name)
        clock = self._create_clock()
        customer = sign_up(self._candela, f"hooli-{self._name}", {self._user: "Gavin"}, clock)
        self._say("[bold]7  Growing[/]    Free, a trial of Pro, Pro, and an enterprise quote:")
        free = self._subscribe(customer, "free")
        self._check("1 Mar", "Free")
        advance(self._candela, clock, TRIAL_FROM)
        self._candela.subscriptions.CancelSubscription(
            subscription_change_pb2.CancelSubscriptionRequest(
                subscription_id=free.id, when=subscription_pb2.EFFECTIVE_TIME_NOW
            )
        )
        trial = self._subscribe(customer, "pro-trial")
        self._check("10 Mar", "Pro, on trial")
        advance(self._candela, clock, PRO_FROM)
        self._check("24 Mar", "Pro, by itself")
        # Events may not lie in the future, so the clock goes to the period's last minute first.
        advance(self._candela, clock, RENEWAL - timedelta(minutes=1))
        self._call()
        self._check("24 Apr", "Pro")
        advance(self._candela, clock, QUOTE)
        previewed = self._take_quote(customer, trial.id)
        self._check("4 May", "Enterprise")
        advance(self._candela, clock, END + timedelta(hours=2))
        self._console.print(self._checks)
        return self._show_invoices(customer, previewed)

    def _say(self, text: str) -> None:
        self._console.print(text)

    def _create_clock(self) -> str:
        request = test_clock_service_pb2.CreateTestClockRequest(name=f"growth {self._name}")
        request.now_at.FromDatetime(START)
        return self._candela.test_clocks.CreateTestClock(request).test_clock.id

    def _subscribe(
        self, customer: customer_pb2.Customer, plan: str
    ) -> subscription_pb2.Subscription:
        return self._candela.subscriptions.CreateSubscription(
            subscription_service_pb2.CreateSubscriptionRequest(
                customer=customer_pb2.CustomerRef(id=customer.id),
                plan=plan_pb2.PlanRef(slug=f"{plan}-{self._name}"),
                time_zone="UTC",
            )
        ).subscription

    def _check(self, when: str, plan: str) -> None:
        reports = self._candela.is_feature_entitled(f"reports-{self._name}", user_id=self._user)
        calls = self._candela.check_feature(f"api-calls-{self._name}", user_id=self._user)
        left = calls.entitlement.credit_info.remaining or "–"
        self._checks.add_row(when, plan, "yes" if reports else "no", left)

    def _call(self) -> None:
        """The usage of a month, some calls in each event."""
        events = []
        for number in range(CALLS // 100):
            event = event_pb2.Event(
                idempotency_key=f"call-{self._name}-{number}",
                name=f"api-call-{self._name}",
                external_user_id=self._user,
                value="100",
            )
            event.timestamp.FromDatetime(PRO_FROM + timedelta(hours=5 * number))
            events.append(event)
        self._candela.stream_events(events)

    def _take_quote(self, customer: customer_pb2.Customer, subscription_id: str) -> str:
        """A price for this customer alone, previewed and then taken as previewed; the previewed amount."""
        price = self._candela.prices.CreatePrice(
            price_service_pb2.CreatePriceRequest(
                plan=plan_pb2.PlanRef(slug=f"enterprise-{self._name}"),
                price=growth_plans.negotiated(customer.id),
            )
        ).price
        change = subscription_change_pb2.ChangePlanRequest(
            subscription_id=subscription_id,
            plan=plan_pb2.PlanRef(slug=f"enterprise-{self._name}"),
            price_id=price.id,
            proration=subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW,
        )
        preview = self._candela.previews.PreviewSubscriptionChange(
            preview_service_pb2.PreviewSubscriptionChangeRequest(change_plan=change)
        )
        change.preview_token = preview.preview_token
        self._candela.subscriptions.ChangePlan(change)
        return f"{Decimal(preview.invoices[0].total.amount):.2f}"

    def _show_invoices(self, customer: customer_pb2.Customer, previewed: str) -> bool:
        invoices = self._candela.invoices.ListInvoices(
            invoice_service_pb2.ListInvoicesRequest(
                customer=customer_pb2.CustomerRef(id=customer.id)
            )
        ).invoices
        for invoice in invoices:
            self._console.print(invoice_table(invoice))
        totals = tuple(f"{Decimal(one.total.amount):.2f}" for one in invoices)
        agrees = totals == EXPECTED and previewed in totals
        verdict = "[bold green]equal to the cent[/]" if agrees else "[bold red]DIFFERENT[/]"
        self._say(
            f"              {', '.join(totals)} USD; by hand {', '.join(EXPECTED)}; "
            f"the upgrade was previewed at {previewed}: {verdict}"
        )
        return agrees
