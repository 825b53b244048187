"""Every SQL text over changes that wait for their time (SUB-5); nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .change import ScheduledChange, ScheduledChangeId, ScheduledStatus
from .change_json import change_from_json, change_to_json
from .model import Proration, SubscriptionId

_COLUMNS = """id, subscription_id, test_clock_id, status, due_at, change, proration, reason, actor,
              outcome, created_at"""


async def insert_scheduled(tx: Tx, planned: ScheduledChange) -> None:
    """Stores a change for later."""
    await tx.execute(
        f"""
        INSERT INTO scheduled_change (merchant_id, {_COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        tx.merchant_id,
        planned.id,
        planned.subscription_id,
        planned.test_clock_id,
        planned.status,
        planned.due_at,
        change_to_json(planned.change),
        planned.proration,
        planned.reason,
        planned.actor,
        planned.outcome,
        planned.created_at,
    )


async def find_scheduled(tx: Tx, scheduled_change_id: ScheduledChangeId) -> ScheduledChange | None:
    """The scheduled change with this id."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM scheduled_change WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        scheduled_change_id,
    )
    return _from_row(row) if row else None


async def list_pending(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledChange]:
    """What waits of a subscription, in the order in which it will be done."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM scheduled_change
        WHERE merchant_id = $1 AND subscription_id = $2 AND status = 'pending'
        ORDER BY due_at, position
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [_from_row(row) for row in rows]


async def page_scheduled(
    tx: Tx,
    subscription_id: SubscriptionId,
    *,
    include_ended: bool,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[ScheduledChange]:
    """One page of a subscription's scheduled changes by (due_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM scheduled_change
        WHERE merchant_id = $1 AND subscription_id = $2 AND ($3 OR status = 'pending')
          AND ($4::timestamptz IS NULL OR (due_at, id) > ($4, $5))
        ORDER BY due_at, id LIMIT $6
        """,
        tx.merchant_id,
        subscription_id,
        include_ended,
        after_at,
        after_id,
        limit,
    )
    return [_from_row(row) for row in rows]


async def end_scheduled(
    tx: Tx, scheduled_change_id: ScheduledChangeId, status: ScheduledStatus, outcome: str
) -> bool:
    """Notes what became of a change that waited; False when it did not wait any more."""
    count = await tx.execute(
        """
        UPDATE scheduled_change SET status = $3, outcome = $4
        WHERE merchant_id = $1 AND id = $2 AND status = 'pending'
        """,
        tx.merchant_id,
        scheduled_change_id,
        status,
        outcome,
    )
    return count > 0


async def call_off(tx: Tx, ids: Sequence[ScheduledChangeId], outcome: str) -> None:
    """Calls off changes that wait."""
    for one_id in ids:
        await end_scheduled(tx, one_id, ScheduledStatus.CANCELED, outcome)


async def lock_next_due(
    tx: Tx,
    *,
    until: datetime,
    test_clock_id: TestClockId | None,
    passing_by: Sequence[str],
) -> ScheduledChange | None:
    """Locks the subscription of the change that is due longest, passing by those that others hold; returns the change.

    One whose subscription has something to be billed from before it is left until that is billed. Of several at one
    instant the end of the subscription goes first: then the others are not done at all.
    """
    # IS NOT DISTINCT FROM cannot use an index, hence two texts; $3 is compared in one of them only.
    on_clock = (
        "r.test_clock_id IS NULL AND $3::text IS NULL"
        if test_clock_id is None
        else "r.test_clock_id = $3"
    )
    row = await tx.fetchrow(
        f"""
        SELECT r.id FROM scheduled_change r
        JOIN subscription s ON s.merchant_id = r.merchant_id AND s.id = r.subscription_id
        WHERE r.merchant_id = $1 AND r.status = 'pending' AND r.due_at <= $2 AND {on_clock}
          AND r.id <> ALL($4::text[])
          AND NOT EXISTS (
              SELECT FROM component_schedule c
              WHERE c.merchant_id = r.merchant_id AND c.subscription_id = r.subscription_id
                AND c.parked_at IS NULL AND c.due_at < r.due_at
          )
        ORDER BY r.due_at, r.change ->> 'kind' <> 'cancel', r.position LIMIT 1
        FOR UPDATE OF s SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        test_clock_id,
        list(passing_by),
    )
    if row is None:
        return None
    # Again, under the lock: another worker may have done it while we came.
    found = await find_scheduled(tx, row["id"])
    return found if found and found.status is ScheduledStatus.PENDING else None


async def next_due_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When a scheduled change is next due on a test clock."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM scheduled_change
        WHERE merchant_id = $1 AND test_clock_id = $2 AND status = 'pending'
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_due_changes(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom a scheduled change is due in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM scheduled_change
        WHERE status = 'pending' AND test_clock_id IS NULL AND due_at <= $1
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]


def _from_row(row: Mapping[str, Any]) -> ScheduledChange:
    return ScheduledChange(
        id=row["id"],
        subscription_id=row["subscription_id"],
        test_clock_id=row["test_clock_id"],
        status=ScheduledStatus(row["status"]),
        due_at=row["due_at"],
        change=change_from_json(row["change"]),
        proration=Proration(row["proration"]) if row["proration"] else None,
        reason=row["reason"],
        actor=row["actor"],
        outcome=row["outcome"],
        created_at=row["created_at"],
    )
