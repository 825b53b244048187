"""Starts a run over what is due for the merchant; the worker carries it out (INV-1)."""

from __future__ import annotations

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import billing_run_store
from .billing_run import BILLING_RUN_STARTED, BillingRun, BillingRunId, BillingRunStatus


async def start_billing_run(tx: Tx, clock: Clock) -> BillingRun:
    """The run, running. Customers on test clocks are billed as their clocks move, never by it."""
    now = clock.now()
    run = BillingRun(
        id=BillingRunId(new_id("run")),
        until_at=now,
        status=BillingRunStatus.RUNNING,
        subscription_count=0,
        invoice_count=0,
        parked_count=0,
        created_at=now,
        ended_at=None,
        failure="",
    )
    await billing_run_store.insert_run(tx, run)
    await tx.announce(BILLING_RUN_STARTED, run.id, {"billing_run_id": run.id})
    await tx.audit("billing_run.started", run.id, None, {"until_at": run.until_at})
    return run
