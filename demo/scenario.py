"""The S1 scenario from the first call to the invoice, through the generated client only (DSL-9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from candela import Client, StreamProgress
from candela.billing.v1 import invoice_service_pb2
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.metering.v1 import event_pb2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .independent_sum import Expected, add_up
from .shown import advance, invoice_table
from .team_plan import MESSAGES, sign_up, subscribe, team_plan
from .usage_file import PERIOD_END, PERIOD_START, USERS, Row, read_usage, write_usage

SEATS = 5


class Scenario:
    """One run; everything it makes carries `name`, so that it can run again on the same server."""

    def __init__(self, candela: Client, folder: Path, name: str, events_file: Path | None) -> None:
        self._candela = candela
        self._folder = folder
        self._name = name
        self._events_file = events_file
        self._console = Console(highlight=False, soft_wrap=True)

    def run(self) -> bool:
        """Runs every step and tells whether the invoice equals the independent sum, to the cent."""
        rows, expected = self._usage()
        plan_slug = self._sell_plan()
        clock = self._create_clock()
        customer = self._sign_up(plan_slug, clock)
        # Events may not lie in the future, so the clock goes to the period's last minute first.
        advance(self._candela, clock, PERIOD_END - timedelta(minutes=1))
        self._use_and_check(customer, rows, expected)
        advance(self._candela, clock, PERIOD_END + timedelta(hours=2))
        return self._show_invoice(customer, expected)

    def _say(self, text: str) -> None:
        self._console.print(text)

    def _usage(self) -> tuple[list[Row], Expected]:
        path = self._events_file or self._folder / "usage.csv"
        if self._events_file is None:
            write_usage(path)
        rows, expected = list(read_usage(path)), add_up(path)
        self._say(
            f"[bold]1  Usage[/]      {path}: {expected.lines:,} lines, "
            f"{expected.distinct_keys:,} different keys"
        )
        return rows, expected

    def _sell_plan(self) -> str:
        request = team_plan(f"team-{self._name}")
        for new in (*request.metrics, *(f.new_feature for f in request.features)):
            new.slug = self._own(new.slug)
        for granted in request.features:
            if granted.new_feature.HasField("metric"):
                granted.new_feature.metric.slug = self._own(granted.new_feature.metric.slug)
        for component in request.prices[0].components:
            if component.metric:
                component.metric = self._own(component.metric)
        for definition in request.credit_definitions:
            definition.feature = self._own(definition.feature)
        for metric in request.metrics:
            metric.event_names[:] = [self._own(name) for name in metric.event_names]
        made = self._candela.plans.CreatePlan(request)
        shown = ", ".join(
            f"{one.amount.amount} {one.amount.currency} per {one.per}"
            for one in made.prices[0].display_amounts
        )
        self._say(
            f"[bold]2  Plan[/]       {made.plan.slug}: {shown}; {len(made.features)} features, "
            f"{len(made.metrics)} metrics, {len(made.version.credit_definitions)} credits, in one call"
        )
        return made.plan.slug

    def _own(self, slug: str) -> str:
        """A slug of this run's own: a merchant's slugs are unique."""
        return f"{slug}-{self._name}"

    def _create_clock(self) -> str:
        request = test_clock_service_pb2.CreateTestClockRequest(name=f"demo {self._name}")
        request.now_at.FromDatetime(PERIOD_START)
        return self._candela.test_clocks.CreateTestClock(request).test_clock.id

    def _sign_up(self, plan_slug: str, clock: str) -> customer_pb2.Customer:
        customer = sign_up(
            self._candela,
            f"initech-{self._name}",
            {self._own(user): user.capitalize() for user in USERS},
            clock,
        )
        subscription = subscribe(self._candela, customer.id, plan_slug, SEATS, PERIOD_START)
        period = subscription.current_period
        self._say(
            f"[bold]3  Customer[/]   {customer.name} with {len(USERS)} users; {SEATS} seats from "
            f"{period.start_at.ToDatetime():%d %b %Y %H:%M} UTC "
            f"(10:00 in {subscription.time_zone}), renewing {period.end_at.ToDatetime():%d %b %H:%M}"
        )
        return customer

    def _use_and_check(
        self, customer: customer_pb2.Customer, rows: Sequence[Row], expected: Expected
    ) -> None:
        """Streams the file in two parts, so that one check falls exactly on the limit."""
        feature = self._own("premium-messages")
        included = SEATS * Decimal(MESSAGES["premium-message"][1])
        at_limit = _rows_until("premium-message", included, rows)
        table = Table("when", "entitled", "used", "included", "remaining", "overage", "source")
        self._check(table, "before any usage", customer, feature)
        counts = [self._stream(rows[:at_limit], "to the limit")]
        self._check(table, "at the limit", customer, feature)
        counts.append(self._stream(rows[at_limit:], "beyond it"))
        self._check(table, "after the limit", customer, feature)
        accepted, duplicates = (sum(count[i] for count in counts) for i in (0, 1))
        self._say(
            f"[bold]4  Events[/]     {accepted:,} accepted, {duplicates:,} deduplicated "
            f"of {len(rows):,} sent"
        )
        switch = self._own("advanced-analytics")
        analytics = self._candela.check_feature(switch, user_id=self._own(USERS[0])).entitlement
        self._say(f"[bold]5  Checks[/]     {feature}, asked for {USERS[0]}:")
        self._console.print(table)
        self._say(
            f"              {switch}: entitled={analytics.entitled}, source={_source(analytics)}"
        )
        usage = self._candela.get_usage(customer_id=customer.id)
        for found in usage.features:
            event = found.feature.removesuffix(f"-{self._name}").removesuffix("s")
            same = "=" if Decimal(found.usage.used) == expected.used[event] else "≠"
            self._say(
                f"              GetFeatureUsage {found.feature}: {found.usage.used} used "
                f"{same} {expected.used[event].normalize():f} in the file"
            )

    def _check(
        self, table: Table, when: str, customer: customer_pb2.Customer, feature: str
    ) -> None:
        answer = self._candela.check_feature(feature, user_id=self._own(USERS[0])).entitlement
        table.add_row(
            when,
            "yes" if answer.entitled else "no",
            answer.usage.used,
            answer.credit_info.allowance,
            answer.credit_info.remaining,
            answer.usage.overage,
            _source(answer),
        )

    def _stream(self, rows: Sequence[Row], label: str) -> tuple[int, int]:
        columns = (
            TextColumn(f"              streaming {label}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        watched = self._console.is_terminal
        with Progress(
            *columns, console=self._console, transient=True, disable=not watched
        ) as progress:
            task = progress.add_task("", total=len(rows))

            def show(done: StreamProgress) -> None:
                progress.update(task, completed=done.sent)

            result = self._candela.stream_events(self._events(rows), on_progress=show)
        for position, error in result.errors[:5]:
            self._say(f"[red]              line {position}: {error.message}[/]")
        return result.accepted, result.deduplicated

    def _events(self, rows: Sequence[Row]) -> Iterator[event_pb2.Event]:
        for row in rows:
            event = event_pb2.Event(
                idempotency_key=f"{row.key}-{self._name}",
                name=self._own(row.event),
                external_user_id=self._own(row.user),
                value=str(row.value),
                properties_json=f'{{"model": "{row.model}"}}'.encode(),
            )
            event.timestamp.FromDatetime(row.timestamp)
            yield event

    def _show_invoice(self, customer: customer_pb2.Customer, expected: Expected) -> bool:
        invoices = self._candela.invoices.ListInvoices(
            invoice_service_pb2.ListInvoicesRequest(
                customer=customer_pb2.CustomerRef(id=customer.id)
            )
        ).invoices
        self._say(f"[bold]6  Invoices[/]   {len(invoices)}: the first seats, and the month's end")
        for invoice in invoices:
            self._console.print(invoice_table(invoice))
        last = invoices[-1]
        total = Decimal(last.total.amount)
        agrees = len(invoices) == 2 and total == expected.total
        verdict = "[bold green]equal to the cent[/]" if agrees else "[bold red]DIFFERENT[/]"
        self._say(
            f"              {last.number or last.id} says {total:.2f} USD; "
            f"added up from the file alone: {expected.total:.2f} USD: {verdict}"
        )
        pdf = self._folder / f"{last.number or last.id}.pdf"
        pdf.write_bytes(
            self._candela.invoices.RenderInvoicePdf(
                invoice_service_pb2.RenderInvoicePdfRequest(invoice_id=last.id)
            ).pdf
        )
        self._say(f"              as PDF: {pdf.resolve()}")
        return agrees


def _rows_until(event: str, amount: Decimal, rows: Sequence[Row]) -> int:
    """How many rows bring an event's sum up to an amount, repeated keys aside; all rows when they do not."""
    seen: set[str] = set()
    total = Decimal(0)
    for position, row in enumerate(rows):
        if row.key in seen:
            continue
        seen.add(row.key)
        if row.event == event:
            total += row.value
            if total >= amount:
                return position + 1
    return len(rows)


def _source(answer: entitlement_pb2.Entitlement) -> str:
    name = entitlement_pb2.EntitlementSource.Name(answer.source)
    return name.removeprefix("ENTITLEMENT_SOURCE_").lower()
