"""What else is planned once a subscription has changed: some of it can never be done any more, some comes of it."""

from __future__ import annotations

from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .change import (
    Change,
    Pause,
    PlanChange,
    Resume,
    ScheduledChange,
    ScheduledChangeId,
    ScheduledStatus,
    Start,
    TrialEnd,
)
from .model import Status, Subscription
from .start_subscription import after_start


async def follow_up(
    tx: Tx,
    after: Subscription,
    change: Change,
    *,
    now: datetime,
    actor: str,
    test_clock_id: TestClockId | None,
) -> None:
    """What else is planned: what can never be done any more is called off, and a pause may end by itself."""
    pending = await scheduled_store.list_pending(tx, after.id)
    if after.version.status is Status.CANCELED:
        await scheduled_store.call_off(tx, [one.id for one in pending], "the subscription ended")
    if isinstance(change, Start):
        await after_start(tx, after, change, test_clock_id)
    if isinstance(change, Resume):
        planned = [one.id for one in pending if isinstance(one.change, Resume)]
        await scheduled_store.call_off(tx, planned, "it was resumed before")
    if isinstance(change, PlanChange):
        planned = [one.id for one in pending if isinstance(one.change, TrialEnd)]
        await scheduled_store.call_off(tx, planned, "the plan was changed before")
    if isinstance(change, Pause) and change.resume_at is not None:
        await scheduled_store.insert_scheduled(
            tx,
            ScheduledChange(
                id=ScheduledChangeId(new_id("sch")),
                subscription_id=after.id,
                test_clock_id=test_clock_id,
                status=ScheduledStatus.PENDING,
                due_at=max(change.resume_at, after.version.valid_from),
                change=Resume(),
                proration=None,
                reason=after.version.reason,
                actor=actor,
                outcome="",
                created_at=now,
            ),
        )
