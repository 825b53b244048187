"""Makes a subscription past due when its invoice is not paid in time, and active again when nothing is overdue.

The grace of the merchant's policy is counted from the due date, whenever that is noticed (ENT-10). Written off is
settled: the merchant has given the debt up, and ends the subscription if the customer is to lose it.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from candela_server.kernel.errors import CandelaError
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.stand_past_due import list_past_due, stand, take_hold

from . import due_date_store
from .model import Invoice

log = structlog.get_logger("candela.billing")


async def follow_due_dates(
    db: Postgres, merchant_id: str, *, now: datetime, test_clock_id: TestClockId | None = None
) -> int:
    """Follows what fell due or was settled by `now`, each subscription in a transaction; returns how many changed."""
    async with db.reading(merchant_id) as tx:
        overdue = await due_date_store.list_overdue(tx, until=now, test_clock_id=test_clock_id)
        past_due = await list_past_due(tx, test_clock_id)
    count = 0
    for one in sorted({*overdue, *past_due}):
        if (one in overdue) is (one in past_due):
            continue
        try:
            async with db.writing(merchant_id) as tx:
                count += await follow_due_date(tx, one, now=now)
        except CandelaError as error:
            # Nobody else waits for it; the next run tries again.
            log.warning("due_date_not_followed", subscription_id=one, reason=error.reason)
    return count


async def settled(tx: Tx, invoice: Invoice, *, now: datetime) -> None:
    """Gives access back as an invoice is settled, without waiting for the next run."""
    if invoice.subscription_id is not None and invoice.due_at is not None:
        await follow_due_date(tx, SubscriptionId(invoice.subscription_id), now=now)


async def follow_due_date(tx: Tx, subscription_id: SubscriptionId, *, now: datetime) -> bool:
    """Brings one subscription to where its invoices leave it; answers whether that was news."""
    held = await take_hold(tx, subscription_id)
    return await stand(
        tx, held, await due_date_store.find_overdue_since(tx, subscription_id, now), now=now
    )
