"""Every SQL text over usage that was taken back and that no invoice could bear; nothing here decides."""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .credit_note import CreditNoteId


async def list_left_over(
    tx: Tx, *, since: datetime, test_clock_id: TestClockId | None
) -> list[SubscriptionId]:
    """The subscriptions, in real time or on one test clock, with an invoice finalized since then that could not give
    all back of some usage, and after which no credit note gave any of that back.
    """
    rows = await tx.fetch(
        """
        SELECT DISTINCT l.subscription_id
        FROM invoice_line l
        JOIN invoice i ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
        WHERE l.merchant_id = $1 AND l.kind = 'adjustment' AND NOT l.voided
          AND l.calculation ? 'left_amount'
          AND i.test_clock_id IS NOT DISTINCT FROM $2 AND i.finalized_at > $3
          AND NOT EXISTS (SELECT FROM credit_note n
                          WHERE n.merchant_id = l.merchant_id AND n.usage_of = l.source_line_id
                            AND n.created_at >= i.finalized_at)
        ORDER BY l.subscription_id
        """,
        tx.merchant_id,
        test_clock_id,
        since,
    )
    return [SubscriptionId(row["subscription_id"]) for row in rows]


async def list_notes(tx: Tx, subscription_id: SubscriptionId) -> list[CreditNoteId]:
    """The credit notes on a subscription's invoices, oldest first."""
    rows = await tx.fetch(
        """
        SELECT n.id FROM credit_note n
        JOIN invoice i ON i.merchant_id = n.merchant_id AND i.id = n.invoice_id
        WHERE n.merchant_id = $1 AND i.subscription_id = $2
        ORDER BY n.created_at, n.id
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [CreditNoteId(row["id"]) for row in rows]
