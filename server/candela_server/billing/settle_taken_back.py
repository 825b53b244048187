"""Gives back by credit notes usage that was taken back and that a subscription's next invoice could not bear (EVT-4).

It was charged, so nobody waits for charges that may never come: an invoice bears as much as it charges, and once that
is final, the rest goes back to the invoices that had charged for it. See docs/giving-back.md.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId

from . import taken_back_store, threshold_store
from .billed_before import LOOKS_BACK
from .give_back_usage import give_back_usage
from .one_by_one import one_by_one


async def settle_taken_back(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Looks at a merchant's subscriptions; returns how many credit notes it made.

    In real time one's failure is logged and stops no other; the next look tries it again.
    """
    async with db.reading(merchant_id) as tx:
        found = await taken_back_store.list_left_over(
            tx, since=now - LOOKS_BACK, test_clock_id=test_clock_id
        )
    return await one_by_one(
        db,
        merchant_id,
        found,
        lambda tx, one_id: _settle(tx, events, one_id, now, test_clock_id),
        passes_by=test_clock_id is None,
        failure="usage_not_given_back",
    )


async def _settle(
    tx: Tx,
    events: EventStore,
    one_id: SubscriptionId,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> int:
    await hold(tx, one_id)
    if await threshold_store.has_draft(tx, one_id):
        # It may bear the rest, or have more to bear; when it is final, what it left is looked at.
        return 0
    return len(await give_back_usage(tx, events, [one_id], now=now, test_clock_id=test_clock_id))
