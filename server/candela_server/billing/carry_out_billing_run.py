"""Carries out a run that somebody started, and notes how it ended (INV-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read_schedule

from . import billing_run_store
from .billing_run import BillingRunId, BillingRunStatus
from .finalize_invoices import finalize_due
from .run_billing import run_billing

log = structlog.get_logger("candela.billing")

_MAX_FAILURE_LENGTH = 500


async def carry_out_billing_run(
    db: Postgres, events: EventStore, clock: Clock, merchant_id: str, run_id: BillingRunId
) -> None:
    """Finalizes and bills what was due when the run was started; harmless for one that has ended.

    What failed before is tried again at once. What fails now stops nothing else, but the run says so.

    A run whose worker was killed is carried out again from the beginning: what it did is not due any more (INV-2), and
    its counts are those of what was left.
    """
    async with db.reading(merchant_id) as tx:
        run = await billing_run_store.find_run(tx, run_id)
    if run is None or run.status is not BillingRunStatus.RUNNING:
        return
    try:
        finalized = await finalize_due(db, events, merchant_id, now=run.until_at, again=True)
        billed = await run_billing(db, events, merchant_id, now=run.until_at, again=True)
    except Exception as error:  # whatever it is, whoever started the run is told
        log.error("billing_run_failed", merchant_id=merchant_id, run_id=run_id, exc_info=error)
        failure = f"{type(error).__name__}: {error}"[:_MAX_FAILURE_LENGTH]
        ended = replace(run, status=BillingRunStatus.FAILED, failure=failure)
    else:
        failures = {**finalized.failures, **billed.failures}
        ended = replace(
            run,
            status=BillingRunStatus.FAILED if failures else BillingRunStatus.DONE,
            failure=_told(failures),
            subscription_count=billed.subscriptions,
            invoice_count=billed.invoices,
        )
    async with db.writing(merchant_id) as tx:
        parked = await read_schedule.count_customers_parked_at(tx, run.until_at)
        await billing_run_store.end_run(
            tx, replace(ended, parked_count=parked, ended_at=clock.now())
        )


def _told(failures: Mapping[str, str]) -> str:
    """What failed while everything else was done; empty when nothing did."""
    if not failures:
        return ""
    some = "; ".join(f"{one}: {why}" for one, why in sorted(failures.items()))
    return f"{len(failures)} failed and everything else was done: {some}"[:_MAX_FAILURE_LENGTH]
