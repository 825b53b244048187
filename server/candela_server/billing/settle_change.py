"""Bills at once what a change costs, on an invoice of its own (SEAT-2, SUB-6).

By the code of the regular run, in the transaction of the change: whatever is due of the subscription, and what its cut
periods come to.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.claim_due import due_of
from candela_server.subscription.model import SubscriptionId

from .bill_due import bill, bill_rest
from .model import Invoice


async def settle_change(
    tx: Tx,
    events: EventStore,
    subscription_id: SubscriptionId,
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> list[Invoice]:
    """The invoices that are made; none when nothing is owed. The subscription must be locked."""
    made: list[Invoice] = []
    while due := await due_of(tx, subscription_id, until=now):
        billed = await bill(tx, events, due, now=now, test_clock_id=test_clock_id)
        made += billed.made
        if billed.parked:
            return made
    return made + await bill_rest(
        tx, events, [subscription_id], now=now, test_clock_id=test_clock_id
    )
