"""Turns due periods into invoices, a chunk of subscriptions at a time, each chunk in one transaction (INV-1).

Everything is read as sets, rated in memory by the pure rules, and written as sets. What makes it exactly-once: the
subscriptions are locked while their schedule is read and moved on in the same transaction, and behind that stands the
unique constraint on (subscription, component, period, kind) (INV-2). A run that is killed leaves whole chunks done and
the rest due; running it again finds nothing of what is done. What fails for one subscription is passed by and tried
again later, and stops nobody else.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.claim_due import claim_due
from candela_server.subscription.move_subscribers import move_due

from .bill_due import Billed, bill
from .failure_store import Work
from .pass_by_failures import Attempt, Passing
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
    again: bool = False,
) -> Billed:
    """Bills everything of a merchant that is due at `now`, in real time or on one test clock.

    `again` tries at once what failed before and waits to be tried again.

    Subscribers who move to another version by then are moved first, each after what was due before its move: what
    renews at an instant renews as the version says that holds from that instant (CAT-9).
    """
    subscriptions = invoices = parked = moved = changed = 0
    passes_by = test_clock_id is None
    billing = Passing(
        db,
        merchant_id,
        Work.SUBSCRIPTION,
        now=now,
        chunk=chunk,
        passes_by=passes_by,
        again=again,
    )
    changing = Passing(
        db,
        merchant_id,
        Work.SCHEDULED_CHANGE,
        now=now,
        chunk=1,
        passes_by=passes_by,
        again=again,
    )

    async def bill_chunk(tx: Tx, attempt: Attempt) -> Billed:
        return await _bill_chunk(tx, events, attempt, now=now, test_clock_id=test_clock_id)

    while True:
        changed_now = await run_changes(events, changing, now=now, test_clock_id=test_clock_id)
        changed += changed_now
        moved_now = await move_due(db, merchant_id, now=now, test_clock_id=test_clock_id)
        moved += moved_now
        done = await billing.do(bill_chunk)
        if not done.subscriptions and not moved_now and not changed_now:
            return Billed(
                subscriptions,
                invoices,
                parked,
                moved,
                changed,
                failures={**changing.failures, **billing.failures},
            )
        subscriptions += done.subscriptions
        invoices += done.invoices
        parked += done.parked


async def _bill_chunk(
    tx: Tx,
    events: EventStore,
    attempt: Attempt,
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> Billed:
    due = await claim_due(
        tx,
        until=now,
        test_clock_id=test_clock_id,
        limit=attempt.limit,
        passing_by=attempt.passing_by,
    )
    if not due:
        return Billed(0, 0, 0)
    attempt.took = sorted({one.subscription_id for one in due})
    return await bill(tx, events, due, now=now, test_clock_id=test_clock_id)
