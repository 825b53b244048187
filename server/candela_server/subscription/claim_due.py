"""Takes what must be billed now, so that no other worker takes the same (INV-1, INV-2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import schedule_store, store
from .model import ScheduledPeriod, SubscriptionId


async def claim_due(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None, limit: int
) -> list[ScheduledPeriod]:
    """Locks up to `limit` subscriptions with something due and returns, of each, the periods due first.

    Only the first instant of each is taken, so that a pipeline which slept through several periods bills them one
    after the other, each on its own invoice. Held until the transaction ends; subscriptions that another worker holds
    are passed by. What is due is read again after locking: another worker may have billed it in between.
    """
    while locked := await store.lock_due_subscriptions(
        tx, until=until, test_clock_id=test_clock_id, limit=limit
    ):
        due = await store.list_first_due(tx, locked, until)
        if due:
            return due
        # Another worker billed all of these while we came to lock them; what it left is found by looking again.
    return []


async def move_on(tx: Tx, rows: Sequence[ScheduledPeriod]) -> None:
    """Writes what is billed next of the components whose periods were billed."""
    if rows:
        await store.put_schedule(tx, rows)


async def park(tx: Tx, ids: Sequence[SubscriptionId], at: datetime) -> None:
    """Stops billing of these subscriptions until a person looks: a safety bound was reached."""
    await store.park(tx, ids, at)


async def unpark(tx: Tx, ids: Sequence[SubscriptionId]) -> None:
    """Lets billing of these subscriptions go on: a person has looked."""
    await schedule_store.unpark(tx, ids)
