"""Every SQL text over what is due to be billed, of all of a merchant's subscriptions; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .model import ScheduledPeriod, SubscriptionId
from .schedule_store import scheduled_from_row

# What a change that waits changes from then on is billed after it, by the new terms, however late the change is made.
_CHANGE_BEFORE = """
              SELECT FROM scheduled_change r
              WHERE r.merchant_id = $1 AND r.subscription_id = c.subscription_id
                AND r.status = 'pending' AND r.due_at <= c.due_at"""


async def lock_due_subscriptions(
    tx: Tx,
    *,
    until: datetime,
    test_clock_id: TestClockId | None,
    limit: int,
    passing_by: Sequence[str],
) -> list[SubscriptionId]:
    """Locks subscriptions that have something due, the longest due first, passing by those another worker holds.

    `limit` bounds the components that are looked at, so that a claim costs the same however much is due.
    """
    # IS NOT DISTINCT FROM cannot use an index, hence two texts; $4 is compared in one of them only.
    on_clock = (
        "c.test_clock_id IS NULL AND $4::text IS NULL"
        if test_clock_id is None
        else "c.test_clock_id = $4"
    )
    rows = await tx.fetch(
        f"""
        SELECT s.id FROM component_schedule c
        JOIN subscription s ON s.merchant_id = c.merchant_id AND s.id = c.subscription_id
        WHERE c.merchant_id = $1 AND c.due_at <= $2 AND c.parked_at IS NULL AND {on_clock}
          AND c.subscription_id <> ALL($5::text[])
          AND NOT EXISTS ({_CHANGE_BEFORE})
        ORDER BY c.due_at LIMIT $3
        FOR UPDATE OF s SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        limit,
        test_clock_id,
        list(passing_by),
    )
    return list(dict.fromkeys(row["id"] for row in rows))


async def list_first_due(
    tx: Tx, ids: Sequence[SubscriptionId], until: datetime
) -> list[ScheduledPeriod]:
    """Of each subscription, the periods that are due first, if they are due by `until` and no change comes first."""
    rows = await tx.fetch(
        f"""
        SELECT subscription_id, component_id, test_clock_id, period_number, period_start, period_end,
               due_at, price_id, plan_version_id, held
        FROM (
            SELECT c.*, min(c.due_at) OVER (PARTITION BY c.subscription_id) AS first_due_at
            FROM component_schedule c
            WHERE c.merchant_id = $1 AND c.subscription_id = ANY($2::text[])
              AND c.parked_at IS NULL
        ) AS c
        WHERE merchant_id = $1 AND due_at = first_due_at AND due_at <= $3
          AND NOT EXISTS ({_CHANGE_BEFORE})
        ORDER BY subscription_id, component_id
        """,
        tx.merchant_id,
        list(ids),
        until,
    )
    return [scheduled_from_row(row) for row in rows]


async def next_due_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When something next falls due on a test clock."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM component_schedule
        WHERE merchant_id = $1 AND test_clock_id = $2 AND parked_at IS NULL
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_due(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom something is due in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM component_schedule
        WHERE test_clock_id IS NULL AND due_at <= $1 AND parked_at IS NULL
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]
