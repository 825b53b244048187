"""Every SQL text over runs and over releases of parked customers; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from candela_server.storage.postgres import Tx

from .billing_run import BillingRun, BillingRunId, BillingRunStatus

_RUN = """id, until_at, status, subscription_count, invoice_count, parked_count, created_at, ended_at,
          failure"""


async def insert_run(tx: Tx, run: BillingRun) -> None:
    """Stores a new run."""
    await tx.execute(
        """
        INSERT INTO billing_run (merchant_id, id, until_at, status, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        tx.merchant_id,
        run.id,
        run.until_at,
        run.status,
        run.created_at,
    )


async def end_run(tx: Tx, run: BillingRun) -> None:
    """Writes how a run ended; one that has ended is left alone."""
    await tx.execute(
        """
        UPDATE billing_run
        SET status = $3, subscription_count = $4, invoice_count = $5, parked_count = $6,
            ended_at = $7, failure = $8
        WHERE merchant_id = $1 AND id = $2 AND status = 'running'
        """,
        tx.merchant_id,
        run.id,
        run.status,
        run.subscription_count,
        run.invoice_count,
        run.parked_count,
        run.ended_at,
        run.failure,
    )


async def find_run(tx: Tx, run_id: BillingRunId) -> BillingRun | None:
    """The run with this id."""
    row = await tx.fetchrow(
        f"SELECT {_RUN} FROM billing_run WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        run_id,
    )
    return _run_from_row(row) if row else None


async def page_runs(tx: Tx, *, limit: int, after: tuple[datetime, str] | None) -> list[BillingRun]:
    """One page of runs by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_RUN} FROM billing_run
        WHERE merchant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
        ORDER BY created_at, id LIMIT $4
        """,
        tx.merchant_id,
        after_at,
        after_id,
        limit,
    )
    return [_run_from_row(row) for row in rows]


async def put_release(tx: Tx, customer_id: str, at: datetime) -> None:
    """Notes that what a customer was invoiced until now counts towards the safety bound no more."""
    await tx.execute(
        """
        INSERT INTO billing_release (merchant_id, customer_id, last_invoice_id, released_at)
        VALUES ($1, $2, COALESCE((SELECT max(id) FROM invoice
                                  WHERE merchant_id = $1 AND customer_id = $2), ''), $3)
        ON CONFLICT (merchant_id, customer_id) DO UPDATE
        SET last_invoice_id = excluded.last_invoice_id, released_at = excluded.released_at
        """,
        tx.merchant_id,
        customer_id,
        at,
    )


def _run_from_row(row: Mapping[str, Any]) -> BillingRun:
    return BillingRun(
        id=row["id"],
        until_at=row["until_at"],
        status=BillingRunStatus(row["status"]),
        subscription_count=row["subscription_count"],
        invoice_count=row["invoice_count"],
        parked_count=row["parked_count"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        failure=row["failure"],
    )
