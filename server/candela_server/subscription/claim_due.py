"""Takes what must be billed now, so that no other worker takes the same (INV-1, INV-2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import due_store, schedule_store
from .model import ScheduledPeriod, SubscriptionId


async def claim_due(
    tx: Tx,
    *,
    until: datetime,
    test_clock_id: TestClockId | None,
    limit: int,
    passing_by: Sequence[str] = (),
) -> list[ScheduledPeriod]:
    """Locks up to `limit` subscriptions with something due and returns, of each, the periods due first.

    Only the first instant of each is taken, so that a pipeline which slept through several periods bills them one
    after the other, each on its own invoice. Held until the transaction ends; subscriptions that another worker holds
    are passed by, and so are those that `passing_by` names. What is due is read again after locking: another worker
    may have billed it in between.
    """
    while locked := await due_store.lock_due_subscriptions(
        tx, until=until, test_clock_id=test_clock_id, limit=limit, passing_by=passing_by
    ):
        due = await due_store.list_first_due(tx, locked, until)
        if due:
            return due
        # Another worker billed all of these while we came to lock them; what it left is found by looking again.
    return []


async def due_of(
    tx: Tx, subscription_id: SubscriptionId, *, until: datetime
) -> list[ScheduledPeriod]:
    """The periods of one subscription that are due first, if they are due by `until`; it must be locked."""
    return await due_store.list_first_due(tx, [subscription_id], until)


async def hold(tx: Tx, subscription_id: SubscriptionId) -> None:
    """Waits until nobody else bills a subscription; nobody does until the transaction ends."""
    await schedule_store.lock_subscription(tx, subscription_id)


async def move_on(
    tx: Tx, billed: Sequence[ScheduledPeriod], following: Sequence[ScheduledPeriod]
) -> None:
    """Forgets what was billed and writes what is billed next of the same components."""
    if billed:
        await schedule_store.delete_schedule(tx, billed)
        await schedule_store.insert_schedule(tx, following)


async def park(tx: Tx, ids: Sequence[SubscriptionId], at: datetime) -> None:
    """Stops billing of these subscriptions until a person looks: a safety bound was reached."""
    await schedule_store.park(tx, ids, at)


async def unpark(tx: Tx, ids: Sequence[SubscriptionId]) -> None:
    """Lets billing of these subscriptions go on: a person has looked."""
    await schedule_store.unpark(tx, ids)
