"""A subscription whose invoice is overdue is past due, and active again when nothing is (SUB-7, ENT-10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import read, schedule_store, version_store
from .append_without_change import append_without_change
from .model import Status, Subscription, SubscriptionId

OVERDUE = "an invoice is overdue"
SETTLED = "nothing is overdue any more"


async def list_past_due(tx: Tx, test_clock_id: TestClockId | None) -> set[SubscriptionId]:
    """The subscriptions that are past due, in real time or on one test clock."""
    return await version_store.list_past_due(tx, test_clock_id)


async def take_hold(tx: Tx, subscription_id: SubscriptionId) -> Subscription:
    """The subscription, which nobody else changes or bills until the transaction ends."""
    await schedule_store.lock_subscription(tx, subscription_id)
    return await read.get_subscription(tx, subscription_id)


async def stand(
    tx: Tx, held: Subscription, overdue_since: datetime | None, *, now: datetime
) -> bool:
    """Makes what is held past due since an instant, or active when nothing is overdue; answers whether that was news.

    Only what is active becomes past due: who tries or pauses owes for the time before, and is looked at again
    afterwards.
    """
    before = held.version.status
    if overdue_since is not None and before is Status.ACTIVE:
        status, at, reason = Status.PAST_DUE, overdue_since, OVERDUE
    elif overdue_since is None and before is Status.PAST_DUE:
        status, at, reason = Status.ACTIVE, now, SETTLED
    else:
        return False
    after = await append_without_change(
        tx, held, replace(held.version, status=status), at=at, reason=reason
    )
    await tx.audit(
        f"subscription.{'past_due' if status is Status.PAST_DUE else 'settled'}",
        held.id,
        before={"version": held.version.number, "status": before},
        after={
            "version": after.version.number,
            "status": status,
            "valid_from": after.version.valid_from,
        },
        reason=reason,
    )
    await tx.entitlements_changed(held.customer_id)
    return True
