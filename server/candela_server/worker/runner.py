"""The worker: a procrastinate App made of every room's tasks, the timetable, and the relay of the outbox.

procrastinate keeps its jobs in PostgreSQL, so that there is no queue of our own to lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import procrastinate
import structlog

from candela_server.billing import read as billing
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.run_billing import run_billing
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError
from candela_server.merchant.advance_test_clock import TEST_CLOCK_ADVANCING
from candela_server.merchant.model import TestClockId
from candela_server.metering import tasks as metering
from candela_server.metering.read_counters import Counters
from candela_server.storage.events import EventStore
from candela_server.storage.listen import Listener
from candela_server.storage.mutation import purge_idempotency_records
from candela_server.storage.outbox import Announcement, Handler, relay
from candela_server.storage.postgres import Postgres
from candela_server.storage.transaction import OUTBOX_CHANNEL
from candela_server.subscription import read as subscription
from candela_server.subscription.create_subscription import BILLING_DUE

from .advance_test_clock import advance_test_clock, bill_test_clock

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

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until told to stop; jobs in progress are finished first."""
        app = self._app()
        woken = asyncio.Event()
        listener = Listener(self.db.url, {OUTBOX_CHANNEL: lambda _payload: woken.set()}, woken.set)
        async with app.open_async():
            await listener.start()
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

    async def bill_everything_due(self) -> None:
        """Bills and finalizes what is due in real time, merchant by merchant."""
        now = self.clock.now()
        async with self.db.system() as tx:
            due = await subscription.list_merchants_with_due(tx, now)
            drafts = await billing.list_merchants_with_drafts(tx, now)
        for merchant_id in drafts:
            with _alone(merchant_id):
                await finalize_due(self.db, self.events, merchant_id, now=now)
        for merchant_id in due:
            with _alone(merchant_id):
                billed = await run_billing(self.db, self.events, merchant_id, now=now)
                log.info("billing_run_done", merchant_id=merchant_id, invoices=billed.invoices)

    def _app(self) -> procrastinate.App:
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=self.db.url, max_size=CONCURRENCY)
        )

        @app.periodic(cron="* * * * *")
        @app.task(name="bill_everything_due", queueing_lock="bill", lock="bill")
        async def bill(timestamp: int) -> None:
            await self.bill_everything_due()

        @app.periodic(cron="* * * * *")
        @app.task(name="fill_metrics", queueing_lock="fill", lock="fill")
        async def fill(timestamp: int) -> None:
            await metering.fill_metrics(self.db, self.events, self.counters, self.clock)

        @app.periodic(cron="7 * * * *")
        @app.task(name="housekeeping", queueing_lock="housekeeping", lock="housekeeping")
        async def housekeeping(timestamp: int) -> None:
            await metering.prepare_partitions(self.events, self.clock)
            await metering.drop_old_keys(self.events, self.clock)
            await purge_idempotency_records(self.db, self.clock.now())

        @app.task(name="advance_test_clock")
        async def advance(merchant_id: str, test_clock_id: str) -> None:
            await advance_test_clock(self.db, self.events, merchant_id, TestClockId(test_clock_id))

        @app.task(name="bill_now", retry=5)
        async def bill_now(merchant_id: str, test_clock_id: str | None) -> None:
            if test_clock_id is None:
                await run_billing(self.db, self.events, merchant_id, now=self.clock.now())
            else:
                await bill_test_clock(self.db, self.events, merchant_id, TestClockId(test_clock_id))

        return app

    async def _relay(self, app: procrastinate.App, woken: asyncio.Event) -> None:
        handlers: dict[str, Handler] = {
            TEST_CLOCK_ADVANCING: _deferring(app, "advance_test_clock", _clock_of),
            BILLING_DUE: _deferring(app, "bill_now", _clock_of),
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


@contextmanager
def _alone(merchant_id: str) -> Iterator[None]:
    """Keeps what is wrong with one merchant, such as a metric whose SQL fails, from stopping the billing of others."""
    try:
        yield
    except (
        CandelaError
    ) as error:  # the next minute tries again; nothing of the merchant was billed wrongly
        log.error(
            "billing_failed", merchant_id=merchant_id, reason=error.reason, message=error.message
        )


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
