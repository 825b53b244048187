"""Takes scheduled changes that are due, one by one, so that no other worker takes the same (SUB-5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import schedule_store, scheduled_store
from .change import ScheduledChange, ScheduledStatus


async def claim_change(
    tx: Tx,
    *,
    until: datetime,
    test_clock_id: TestClockId | None,
    passing_by: Sequence[str] = (),
) -> ScheduledChange | None:
    """The change that is due longest, its subscription locked until the transaction ends; None when none is.

    `passing_by` are the ids of changes that are left for later.
    """
    return await scheduled_store.lock_next_due(
        tx, until=until, test_clock_id=test_clock_id, passing_by=passing_by
    )


async def note_failure(tx: Tx, planned: ScheduledChange, outcome: str) -> None:
    """Notes that a change was refused when its time came."""
    await schedule_store.lock_subscription(tx, planned.subscription_id)
    if await scheduled_store.end_scheduled(tx, planned.id, ScheduledStatus.FAILED, outcome):
        await tx.audit(
            "subscription.scheduled_change_failed",
            planned.subscription_id,
            after={"scheduled_change_id": planned.id, "outcome": outcome},
        )
