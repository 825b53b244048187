"""The worker: a procrastinate App made of every room's tasks, the timetable, and the relay of the outbox.

procrastinate keeps its jobs in PostgreSQL, so that there is no queue of our own to lose.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import procrastinate
import structlog

from candela_server.billing.billing_run import BILLING_RUN_STARTED, BillingRunId
from candela_server.billing.carry_out_billing_run import carry_out_billing_run
from candela_server.billing.run_billing import run_billing
from candela_server.entitlement.forget_changes import forget_changes
from candela_server.kernel.clock import Clock
from candela_server.merchant.advance_test_clock import TEST_CLOCK_ADVANCING
from candela_server.merchant.model import TestClockId
from candela_server.metering import tasks as metering
from candela_server.metering.fill_metric import METRIC_FILL_STARTED
from candela_server.metering.merge_layers import merge_layers
from candela_server.metering.note_late_usage import forget_late_usage
from candela_server.metering.read_counters import Counters
from candela_server.metering.sum_up_keys import sum_up_keys
from candela_server.storage.events import EventStore
from candela_server.storage.listen import Listener
from candela_server.storage.mutation import purge_idempotency_records
from candela_server.storage.outbox import Announcement, Handler, relay
from candela_server.storage.postgres import Postgres
from candela_server.storage.transaction import OUTBOX_CHANNEL
from candela_server.subscription import tasks as subscription_tasks
from candela_server.subscription.create_migration import MIGRATION_BEGUN
from candela_server.subscription.create_subscription import BILLING_DUE
from candela_server.subscription.migration import MigrationId, PendingWork

from .advance_test_clock import advance_test_clock, bill_test_clock
from .merchant_jobs import (
    bill_at_thresholds,
    bill_everything_due,
    bill_late_usage,
    buy_top_ups,
    follow_all_due_dates,
    look_after_credits,
    reconcile_everyone,
)
from .revive_jobs import revive_jobs

log = structlog.get_logger("candela.worker")

CONCURRENCY = 4
# The relay is woken by a notification; the poll finds what a lost notification left.
RELAY_POLL_S = 1.0
_POLLING_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Worker:
    """What jobs work with."""

    db: Postgres
    events: EventStore
    counters: Counters
    clock: Clock
    # How long raw events are kept; None for good.
    event_retention: timedelta | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until told to stop; jobs in progress are finished first."""
        app = self._app()
        woken = asyncio.Event()
        listener = Listener(self.db.url, {OUTBOX_CHANNEL: lambda _payload: woken.set()}, woken.set)
        async with app.open_async():
            await listener.start()
            await self._resume(app)
            relaying = asyncio.create_task(self._relay(app, woken))
            working = asyncio.create_task(
                app.run_worker_async(
                    concurrency=CONCURRENCY,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLLING_INTERVAL_S,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=30,
                )
            )
            waiting = asyncio.create_task(stopping.wait())
            await asyncio.wait({relaying, working, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (relaying, working, waiting):
                task.cancel()
            results = await asyncio.gather(relaying, working, waiting, return_exceptions=True)
            await listener.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def move_subscribers(self, work: PendingWork) -> None:
        """Goes on with a migration, as far as it is not done (CAT-9)."""
        count = await subscription_tasks.move_subscribers(self.db, self.clock, work)
        log.info("subscribers_moved", migration_id=work.migration_id, subscriptions=count)

    def _app(self) -> procrastinate.App:
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=self.db.url, max_size=CONCURRENCY)
        )

        @app.periodic(cron="* * * * *")
        @app.task(name="bill_everything_due", queueing_lock="bill", lock="bill")
        async def bill(timestamp: int) -> None:
            await bill_everything_due(self.db, self.events, self.clock)

        @app.periodic(cron="* * * * *")
        @app.task(name="follow_due_dates", queueing_lock="due_dates", lock="due_dates")
        async def due_dates(timestamp: int) -> None:
            await follow_all_due_dates(self.db, self.clock)

        filling = asyncio.Lock()

        # No lock among workers: a fill's steps lock each other out, and who is killed holds up nobody.
        @app.periodic(cron="* * * * *")
        @app.task(name="fill_metrics", queueing_lock="fill")
        async def fill(timestamp: int) -> None:
            if not filling.locked():
                async with filling:
                    await metering.fill_metrics(self.db, self.events, self.counters, self.clock)

        @app.periodic(cron="* * * * *")
        @app.task(name="continue_backfills", queueing_lock="backfill", lock="backfill")
        async def backfill(timestamp: int) -> None:
            await metering.continue_backfills(self.db, self.events, self.counters, self.clock)

        @app.periodic(cron="7 * * * *")
        @app.task(name="housekeeping", queueing_lock="housekeeping", lock="housekeeping")
        async def housekeeping(timestamp: int) -> None:
            await metering.prepare_partitions(self.events, self.clock)
            await metering.forget_old_keys(self.db, self.events, self.clock)
            await metering.delete_old_letters(self.db, self.clock)
            await metering.age_events(self.events, self.clock, self.event_retention)
            await metering.fit_chunks(self.events, self.clock)
            await merge_layers(self.events, self.clock)
            await forget_late_usage(self.events, self.clock.now())
            await purge_idempotency_records(self.db, self.clock.now())
            await forget_changes(self.db, self.clock.now())

        @app.periodic(cron="17 * * * *")
        @app.task(name="sum_up_keys", queueing_lock="old_keys", lock="old_keys")
        async def old_keys(timestamp: int) -> None:
            await sum_up_keys(self.events, self.clock.now())

        @app.periodic(cron="37 * * * *")
        @app.task(name="sweep_counters", queueing_lock="counters", lock="counters")
        async def counters(timestamp: int) -> None:
            await metering.sweep_counters(self.db, self.events, self.counters, self.clock)

        @app.periodic(cron="* * * * *")
        @app.task(name="buy_top_ups", queueing_lock="top_up", lock="top_up")
        async def top_up(timestamp: int) -> None:
            await buy_top_ups(self.db, self.events, self.clock)

        @app.periodic(cron="* * * * *")
        @app.task(name="bill_thresholds", queueing_lock="thresholds", lock="thresholds")
        async def thresholds(timestamp: int) -> None:
            await bill_at_thresholds(self.db, self.events, self.clock)

        @app.periodic(cron="3 * * * *")
        @app.task(name="look_after_credits", queueing_lock="credits", lock="credits")
        async def credits(timestamp: int) -> None:
            await look_after_credits(self.db, self.events, self.clock)

        @app.periodic(cron="23 * * * *")
        @app.task(name="bill_late_usage", queueing_lock="late_usage", lock="late_usage")
        async def late_usage(timestamp: int) -> None:
            await bill_late_usage(self.db, self.events, self.clock)

        @app.periodic(cron="41 2 * * *")
        @app.task(name="reconcile_credits", queueing_lock="reconcile", lock="reconcile")
        async def reconcile(timestamp: int) -> None:
            await reconcile_everyone(self.db)

        @app.task(name="advance_test_clock")
        async def advance(merchant_id: str, test_clock_id: str) -> None:
            await advance_test_clock(self.db, self.events, merchant_id, TestClockId(test_clock_id))

        @app.task(name="bill_now", retry=5)
        async def bill_now(merchant_id: str, test_clock_id: str | None) -> None:
            if test_clock_id is None:
                await run_billing(self.db, self.events, merchant_id, now=self.clock.now())
            else:
                await bill_test_clock(self.db, self.events, merchant_id, TestClockId(test_clock_id))

        @app.task(name="carry_out_billing_run", retry=5)
        async def carry_out(merchant_id: str, billing_run_id: str) -> None:
            await carry_out_billing_run(
                self.db, self.events, self.clock, merchant_id, BillingRunId(billing_run_id)
            )

        @app.task(name="move_subscribers", retry=5)
        async def move(merchant_id: str, migration_id: str, test_clock_id: str | None) -> None:
            await self.move_subscribers(
                PendingWork(
                    merchant_id=merchant_id,
                    migration_id=MigrationId(migration_id),
                    test_clock_id=TestClockId(test_clock_id) if test_clock_id else None,
                )
            )

        @app.periodic(cron="* * * * *")
        @app.task(name="resume_work", queueing_lock="resume")
        async def resume(timestamp: int) -> None:
            await self._resume(app)

        return app

    async def _resume(self, app: procrastinate.App) -> None:
        """Takes up what workers left that died, or that found too much locked."""
        await revive_jobs(app)
        for work in await subscription_tasks.list_pending_work(self.db):
            await _defer_move(app, work)

    async def _relay(self, app: procrastinate.App, woken: asyncio.Event) -> None:
        handlers: dict[str, Handler] = {
            TEST_CLOCK_ADVANCING: _deferring(app, "advance_test_clock", _clock_of),
            BILLING_DUE: _deferring(app, "bill_now", _clock_of),
            METRIC_FILL_STARTED: _filling_now(app),
            MIGRATION_BEGUN: _moving(app),
            BILLING_RUN_STARTED: _carrying_out(app),
        }
        while True:
            try:
                async with asyncio.timeout(RELAY_POLL_S):
                    await woken.wait()
            except TimeoutError:
                pass
            woken.clear()
            try:
                while await relay(self.db, handlers, self.clock.now()):
                    pass
            except Exception as error:  # the database may be away for a while
                log.warning("relay_failed", exc_info=error)


def _filling_now(app: procrastinate.App) -> Handler:
    """A handler that does not wait for the minute; when the job waits in the queue already, that is as good."""

    async def defer(announcement: Announcement) -> None:
        with suppress(procrastinate.exceptions.AlreadyEnqueued):
            await app.configure_task("fill_metrics").defer_async(timestamp=0)

    return defer


def _clock_of(announcement: Announcement) -> dict[str, Any]:
    return {
        "merchant_id": announcement.merchant_id,
        "test_clock_id": announcement.payload["test_clock_id"],
    }


def _deferring(
    app: procrastinate.App, task: str, arguments: Callable[[Announcement], dict[str, Any]]
) -> Callable[[Announcement], Awaitable[None]]:
    """A handler that makes a job of an announcement; jobs of one merchant's clock run one after the other."""

    async def defer(announcement: Announcement) -> None:
        values = arguments(announcement)
        lock = f"{announcement.merchant_id}:{values['test_clock_id']}"
        await app.configure_task(task, lock=lock).defer_async(**values)

    return defer


def _moving(app: procrastinate.App) -> Callable[[Announcement], Awaitable[None]]:
    """A handler that makes a job of a migration that began, or of the part of it that lives on one test clock."""

    async def defer(announcement: Announcement) -> None:
        await _defer_move(
            app,
            PendingWork(
                merchant_id=announcement.merchant_id,
                migration_id=MigrationId(announcement.payload["migration_id"]),
                test_clock_id=announcement.payload["test_clock_id"],
            ),
        )

    return defer


def _carrying_out(app: procrastinate.App) -> Callable[[Announcement], Awaitable[None]]:
    """A handler that makes a job of a run that somebody started; it takes turns with the merchant's other billing."""

    async def defer(announcement: Announcement) -> None:
        task = app.configure_task(
            "carry_out_billing_run", lock=f"{announcement.merchant_id}:{None}"
        )
        await task.defer_async(
            merchant_id=announcement.merchant_id,
            billing_run_id=announcement.payload["billing_run_id"],
        )

    return defer


async def _defer_move(app: procrastinate.App, work: PendingWork) -> None:
    """Queues a move once, however often it is asked for.

    On a test clock it takes turns with the clock's other jobs, which count on finding nothing locked. In real time it
    needs no turns, and none that a killed worker could keep for ever.
    """
    clock_id = work.test_clock_id
    task = app.configure_task(
        "move_subscribers",
        lock=f"{work.merchant_id}:{clock_id}" if clock_id else None,
        queueing_lock=f"migrate:{work.migration_id}:{clock_id}",
    )
    with contextlib.suppress(procrastinate.exceptions.AlreadyEnqueued):
        await task.defer_async(
            merchant_id=work.merchant_id,
            migration_id=work.migration_id,
            test_clock_id=clock_id,
        )
