"""Turns due periods into invoices, a chunk of subscriptions at a time, each chunk in one transaction (INV-1).

Everything is read as sets, rated in memory by the pure rules, and written as sets. What makes it exactly-once: the
subscriptions are locked while their schedule is read and moved on in the same transaction, and behind that stands the
unique constraint on (subscription, component, period, kind) (INV-2). A run that is killed leaves whole chunks done and
the rest due; running it again finds nothing of what is done.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.claim_due import claim_due
from candela_server.subscription.move_subscribers import move_due

from .bill_due import Billed, bill
from .run_changes import run_changes

CHUNK = 1000


async def run_billing(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
    chunk: int = CHUNK,
) -> Billed:
    """Bills everything of a merchant that is due at `now`, in real time or on one test clock.

    Subscribers who move to another version by then are moved first, each after what was due before its move: what
    renews at an instant renews as the version says that holds from that instant (CAT-9).
    """
    subscriptions = invoices = parked = moved = changed = 0
    while True:
        changed_now = await run_changes(
            db, events, merchant_id, now=now, test_clock_id=test_clock_id
        )
        changed += changed_now
        moved_now = await move_due(db, merchant_id, now=now, test_clock_id=test_clock_id)
        moved += moved_now
        async with db.writing(merchant_id) as tx:
            done = await _bill_chunk(tx, events, now=now, test_clock_id=test_clock_id, limit=chunk)
        if not done.subscriptions and not moved_now and not changed_now:
            return Billed(subscriptions, invoices, parked, moved, changed)
        subscriptions += done.subscriptions
        invoices += done.invoices
        parked += done.parked


async def _bill_chunk(
    tx: Tx, events: EventStore, *, now: datetime, test_clock_id: TestClockId | None, limit: int
) -> Billed:
    due = await claim_due(tx, until=now, test_clock_id=test_clock_id, limit=limit)
    if not due:
        return Billed(0, 0, 0)
    return await bill(tx, events, due, now=now, test_clock_id=test_clock_id)
