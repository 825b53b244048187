"""The billing run: chunks of subscriptions against one at a time, against a crowd, and against SQL alone (M20).

Every invoice bills three components: seats in advance, and two metrics in arrears with credits that renew. A month is
what a worker does of it: the run that makes drafts, and the one that finalizes them after their grace.
"""

from __future__ import annotations

import asyncio
import calendar
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median

import psycopg
from candela import Client
from candela.customer.v1 import customer_service_pb2
from candela.merchant.v1 import test_clock_pb2, test_clock_service_pb2
from psycopg import sql

from candela_server.billing import store
from candela_server.billing.finalize_invoices import CHUNK, finalize_due
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.run_billing import run_billing
from candela_server.kernel.clock import SystemClock
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.worker.advance_test_clock import advance_test_clock

from .harness import Row, candela, cpu_seconds, row, say
from .stage import Stage
from demo.crowd import copy_customer, put_usage
from demo.team_plan import subscribe, team_plan

SEATS = 5
USED = 7_000
"""Of each metric and month: more than what the seats bring of both."""
GRACE = timedelta(hours=1)
WRITTEN = ("invoice", "invoice_line", "credit_grant", "credit_transaction", "audit_entry", "outbox")


@dataclass(slots=True)
class Crowd:
    """A merchant with so many subscribers, all of whom are billed at the same instants."""

    merchant_id: str
    size: int
    anchor_at: datetime
    months: int = 0

    def due_at(self) -> datetime:
        """When what comes next falls due, however short the month."""
        number = self.anchor_at.month - 1 + self.months
        year, month = self.anchor_at.year + number // 12, number % 12 + 1
        day = min(self.anchor_at.day, calendar.monthrange(year, month)[1])
        return self.anchor_at.replace(year=year, month=month, day=day)


@dataclass(slots=True)
class Till:
    """Runs the pipeline in this process, as a worker would."""

    stage: Stage
    database: psycopg.Connection
    db: Postgres
    events: EventStore

    def crowd(self, name: str, size: int) -> Crowd:
        """A merchant of its own whose first customer came through the door, and was copied."""
        made = json.loads(candela(self.stage.environment, "merchant", "create", name, "--json"))
        with Client(self.stage.address, made["secret_key"]) as client:
            client.plans.CreatePlan(team_plan("team"))
            customer = client.customers.CreateCustomer(
                customer_service_pb2.CreateCustomerRequest(name=name, external_id=name)
            ).customer
            anchor_at = subscribe(client, customer.id, "team", SEATS).anchor_at
        crowd = Crowd(made["merchant_id"], size, anchor_at.ToDatetime(tzinfo=UTC))
        copy_customer(self.database, crowd.merchant_id, customer.id, size - 1)
        return crowd

    async def month(self, crowd: Crowd, *, chunk: int = CHUNK) -> tuple[float, float]:
        """Bills what is due next; seconds on the wall, and of processors: this process's and PostgreSQL's."""
        now = crowd.due_at()
        crowd.months += 1
        put_usage(self.database, crowd.merchant_id, _quarter(now + timedelta(days=3)), USED)
        processor, started = self._processor_seconds(), time.perf_counter()
        billed = await self.work(crowd, now, chunk=chunk)
        took = time.perf_counter() - started
        if billed != crowd.size:
            raise RuntimeError(f"{billed} invoices were made of {crowd.size}")
        return took, self._processor_seconds() - processor

    async def work(self, crowd: Crowd, now: datetime, *, chunk: int = CHUNK) -> int:
        """What a worker does of one instant: drafts, and their finalization; answers how many invoices are new."""
        run = await run_billing(self.db, self.events, crowd.merchant_id, now=now, chunk=chunk)
        await finalize_due(self.db, self.events, crowd.merchant_id, now=now + GRACE, chunk=chunk)
        return run.invoices

    async def again(self, crowd: Crowd) -> float:
        """Runs what was run; raises RuntimeError when that wrote anything."""
        crowd.months -= 1
        now = crowd.due_at()
        crowd.months += 1
        before, started = self._rows(crowd), time.perf_counter()
        await self.work(crowd, now)
        took = time.perf_counter() - started
        if self._rows(crowd) != before:
            raise RuntimeError("a run of what was run wrote something")
        return took

    def copy_rows(self, crowd: Crowd) -> float:
        """Seconds of inserting as many invoices and lines as a month made, by two statements of SQL."""
        with self.database.transaction(force_rollback=True):
            for table in ("invoice", "invoice_line"):
                self.database.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
            started = time.perf_counter()
            self.database.execute(
                """
                INSERT INTO bench_invoice SELECT * FROM invoice
                WHERE merchant_id = %(merchant_id)s AND created_at = %(at)s
                """,
                {"merchant_id": crowd.merchant_id, "at": self._last_made(crowd)},
            )
            self.database.execute(
                """
                INSERT INTO bench_invoice_line SELECT l.* FROM invoice_line l JOIN invoice i
                ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
                WHERE i.merchant_id = %(merchant_id)s AND i.created_at = %(at)s
                """,
                {"merchant_id": crowd.merchant_id, "at": self._last_made(crowd)},
            )
            return time.perf_counter() - started

    async def last_invoice(self, crowd: Crowd) -> Invoice:
        """One of the latest."""
        async with self.db.reading(crowd.merchant_id) as tx:
            found = await store.page_invoices(
                tx,
                customer_id=None,
                subscription_id=None,
                statuses=[InvoiceStatus.FINALIZED],
                limit=1,
                after=(self._last_made(crowd), ""),
            )
        return found[0]

    def _last_made(self, crowd: Crowd) -> datetime:
        last = replace(crowd, months=crowd.months - 1)
        return last.due_at()

    def _rows(self, crowd: Crowd) -> list[int]:
        counts = []
        for table in WRITTEN:
            found = self.database.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE merchant_id = %s").format(
                    sql.Identifier(table)
                ),
                [crowd.merchant_id],
            ).fetchone()
            assert found is not None
            counts.append(found[0])
        return counts

    def _processor_seconds(self) -> float:
        rows = self.database.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        total = time.process_time()
        for (pid,) in rows:
            # A PostgreSQL elsewhere has no processes here; then it is this process alone.
            with suppress(FileNotFoundError):
                total += cpu_seconds(pid)
        return total


def rows(stage: Stage, *, rounds: int, few: int, many: int, alone: int, pdfs: int) -> list[Row]:
    """The table: `few` and `many` subscriptions billed in chunks, `alone` of them one at a time."""
    return asyncio.run(_measure(stage, rounds, few, many, alone, pdfs))


async def _measure(
    stage: Stage, rounds: int, few: int, many: int, alone: int, pdfs: int
) -> list[Row]:
    db, events = Postgres(stage.database_url, SystemClock()), EventStore(stage.database_url)
    await db.open()
    await events.open()
    try:
        with psycopg.connect(stage.database_url, autocommit=True) as database:
            till = Till(stage, database, db, events)
            return [
                *await _runs(till, rounds, few, many, alone),
                await _documents(till, few, pdfs),
                await _year(till, rounds),
            ]
    finally:
        await events.close()
        await db.close()


async def _runs(till: Till, rounds: int, few: int, many: int, alone: int) -> list[Row]:
    say(f"billing months of {few:,} and {many:,} subscriptions, and of {alone:,} one at a time")
    small, big = till.crowd("few", few), till.crowd("many", many)
    single = till.crowd("alone", alone)
    for crowd in (small, big, single):  # the first month bills seats only, and warms up
        await till.month(crowd)
    till.database.execute("ANALYZE invoice, invoice_line")  # as autovacuum has by the second month
    each: dict[str, list[float]] = {
        name: [] for name in ("few", "many", "alone", "again", "cpu", "sql")
    }

    async def of_few() -> None:
        each["few"].append((await till.month(small))[0] / few)

    async def of_many() -> None:
        took, processor = await till.month(big)
        each["many"].append(took / many)
        each["cpu"].append(processor / many)
        each["again"].append(await till.again(big) / many)
        each["sql"].append(till.copy_rows(big) / many)

    async def of_alone() -> None:
        each["alone"].append((await till.month(single, chunk=1))[0] / alone)

    order: list[Callable[[], Awaitable[None]]] = [of_few, of_many, of_alone]
    for number in range(rounds):
        for work in order if number % 2 == 0 else reversed(order):
            await work()
    took = {name: median(values) for name, values in each.items()}
    return [
        row(
            "invoices of 3 components per second and core : rows by SQL alone",
            1 / took["cpu"],
            1 / took["sql"],
            0.02,
        ),
        row(
            f"µs per subscription of {many:,} : of {few:,}",
            took["many"] * 1e6,
            took["few"] * 1e6,
            1.2,
            at_most=True,
        ),
        row(
            "invoices per second in chunks : a transaction each",
            1 / took["many"],
            1 / took["alone"],
            8,
        ),
        row(
            "µs per subscription of a run again, nothing written : of the run",
            took["again"] * 1e6,
            took["many"] * 1e6,
            0.3,
            at_most=True,
        ),
    ]


async def _documents(till: Till, size: int, pdfs: int) -> Row:
    crowd = till.crowd("documents", size)
    await till.month(crowd)
    await till.month(crowd)
    invoice = await till.last_invoice(crowd)
    say(f"drawing {pdfs} invoices of {len(invoice.lines)} lines, and of 200")
    long = replace(invoice, lines=tuple(invoice.lines[n % len(invoice.lines)] for n in range(200)))
    speed = []
    for one, count in ((invoice, pdfs), (long, max(2, pdfs // 10))):
        render_pdf(one)
        started = time.perf_counter()
        for _ in range(count):
            render_pdf(one)
        speed.append(count / (time.perf_counter() - started))
    return row(f"PDFs of {len(invoice.lines)} lines per second : of 200 lines", *speed, 1.0)


async def _year(till: Till, rounds: int) -> Row:
    say("a year on a test clock, against the year's runs alone")
    made = json.loads(
        candela(till.stage.environment, "merchant", "create", "Year", "--mode", "test", "--json")
    )
    merchant_id, on_clock, plain = made["merchant_id"], [], []
    with Client(till.stage.address, made["secret_key"]) as client:
        client.plans.CreatePlan(team_plan("team"))
        for number in range(rounds):
            on_clock.append(await _clock_year(till, client, merchant_id, f"clock-{number}"))
            customer = client.customers.CreateCustomer(
                customer_service_pb2.CreateCustomerRequest(name="plain", external_id=f"p{number}")
            ).customer
            anchor_at = subscribe(client, customer.id, "team", SEATS).anchor_at
            crowd = Crowd(merchant_id, 1, anchor_at.ToDatetime(tzinfo=UTC))
            started = time.perf_counter()
            for crowd.months in range(13):
                await till.work(crowd, crowd.due_at())
            plain.append(time.perf_counter() - started)
            till.database.execute(
                "DELETE FROM component_schedule WHERE merchant_id = %s AND test_clock_id IS NULL",
                [merchant_id],
            )
    return row(
        "ms for a year on a test clock, one customer : its runs alone",
        median(on_clock) * 1e3,
        median(plain) * 1e3,
        2.0,
        at_most=True,
    )


async def _clock_year(till: Till, client: Client, merchant_id: str, name: str) -> float:
    now = datetime.now(UTC)
    asked = test_clock_service_pb2.CreateTestClockRequest(name=name)
    asked.now_at.FromDatetime(now)
    clock: test_clock_pb2.TestClock = client.test_clocks.CreateTestClock(asked).test_clock
    customer = client.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(
            name=name, external_id=name, test_clock_id=clock.id
        )
    ).customer
    subscribe(client, customer.id, "team", SEATS)
    request = test_clock_service_pb2.AdvanceTestClockRequest(test_clock_id=clock.id)
    request.target_at.FromDatetime(now + timedelta(days=366))
    client.test_clocks.AdvanceTestClock(request)
    started = time.perf_counter()
    await advance_test_clock(till.db, till.events, merchant_id, TestClockId(clock.id))
    return time.perf_counter() - started


def _quarter(instant: datetime) -> datetime:
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
