"""Every SQL text over due dates; nothing here decides."""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId


async def list_overdue(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None
) -> set[SubscriptionId]:
    """The subscriptions, in real time or on one test clock, of which an invoice was to be paid by an instant."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT subscription_id FROM invoice
        WHERE merchant_id = $1 AND status = 'finalized' AND amount_due > 0 AND due_at <= $2
          AND subscription_id IS NOT NULL AND test_clock_id IS NOT DISTINCT FROM $3
        """,
        tx.merchant_id,
        until,
        test_clock_id,
    )
    return {SubscriptionId(row["subscription_id"]) for row in rows}


async def find_overdue_since(
    tx: Tx, subscription_id: SubscriptionId, now: datetime
) -> datetime | None:
    """When the first of the subscription's overdue invoices was to be paid; None when none is overdue."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM invoice
        WHERE merchant_id = $1 AND subscription_id = $2 AND status = 'finalized' AND amount_due > 0 AND due_at <= $3
        """,
        tx.merchant_id,
        subscription_id,
        now,
    )
    return found


async def next_due_date(tx: Tx, test_clock_id: TestClockId, after: datetime) -> datetime | None:
    """When an unpaid invoice on a test clock next falls due."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM invoice
        WHERE merchant_id = $1 AND test_clock_id = $2 AND status = 'finalized' AND amount_due > 0 AND due_at > $3
        """,
        tx.merchant_id,
        test_clock_id,
        after,
    )
    return found


async def list_merchants_owed(tx: Tx, until: datetime) -> list[str]:
    """The merchants with overdue invoices in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM invoice
        WHERE status = 'finalized' AND amount_due > 0 AND test_clock_id IS NULL AND due_at <= $1
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]
