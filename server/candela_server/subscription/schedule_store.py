"""Every SQL text over what is billed next of one subscription, and over parked ones; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.customer.model import CustomerId
from candela_server.storage.postgres import Tx

from .model import ParkedSubscription, ScheduledPeriod, SubscriptionId
from .store import scheduled_from_row


async def list_next_due(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledPeriod]:
    """The periods that fall due first, parked or not, in the order of their components' ids."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, component_id, test_clock_id, period_number, period_start, period_end,
               due_at, price_id, plan_version_id, held
        FROM component_schedule
        WHERE merchant_id = $1 AND subscription_id = $2
          AND due_at = (SELECT min(due_at) FROM component_schedule
                        WHERE merchant_id = $1 AND subscription_id = $2)
        ORDER BY component_id
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [scheduled_from_row(row) for row in rows]


async def list_schedule(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledPeriod]:
    """All that is to be billed of a subscription, whenever it is due."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, component_id, test_clock_id, period_number, period_start, period_end,
               due_at, price_id, plan_version_id, held
        FROM component_schedule
        WHERE merchant_id = $1 AND subscription_id = $2
        ORDER BY component_id, period_start
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [scheduled_from_row(row) for row in rows]


async def list_running(
    tx: Tx, ids: Sequence[SubscriptionId], now: datetime
) -> list[ScheduledPeriod]:
    """The periods of these subscriptions that have begun and are not due yet; of those that are parked none."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, component_id, test_clock_id, period_number, period_start, period_end,
               due_at, price_id, plan_version_id, held
        FROM component_schedule
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[]) AND period_start < $3
          AND due_at > $3 AND parked_at IS NULL
        ORDER BY subscription_id, component_id, period_start
        """,
        tx.merchant_id,
        list(ids),
        now,
    )
    return [scheduled_from_row(row) for row in rows]


async def list_merchants_with_parked(tx: Tx) -> list[str]:
    """The merchants of whom something is parked; in a system transaction."""
    # tenant-scope: the operator of the machine looks over all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM component_schedule
        WHERE parked_at IS NOT NULL ORDER BY merchant_id
        """
    )
    return [row["merchant_id"] for row in rows]


async def count_parked_everywhere(tx: Tx) -> int:
    """How many subscriptions of all merchants are parked; in a system transaction."""
    # tenant-scope: the operator of the machine is warned about all merchants
    count: int = await tx.fetchval(
        "SELECT count(DISTINCT subscription_id) FROM component_schedule WHERE parked_at IS NOT NULL"
    )
    return count


async def list_parked(tx: Tx, customer_id: CustomerId | None = None) -> list[ParkedSubscription]:
    """The merchant's parked subscriptions, or those of one customer, parked first first."""
    rows = await tx.fetch(
        """
        SELECT s.merchant_id, s.customer_id, s.id, c.test_clock_id, min(c.parked_at) AS parked_at,
               min(c.due_at) AS due_at
        FROM component_schedule c
        JOIN subscription s ON s.merchant_id = c.merchant_id AND s.id = c.subscription_id
        WHERE c.merchant_id = $1 AND c.parked_at IS NOT NULL
          AND ($2::text IS NULL OR s.customer_id = $2)
        GROUP BY s.merchant_id, s.customer_id, s.id, c.test_clock_id
        ORDER BY parked_at, s.id
        """,
        tx.merchant_id,
        customer_id,
    )
    return [
        ParkedSubscription(
            merchant_id=row["merchant_id"],
            customer_id=row["customer_id"],
            subscription_id=row["id"],
            test_clock_id=row["test_clock_id"],
            parked_at=row["parked_at"],
            due_at=row["due_at"],
        )
        for row in rows
    ]


async def count_customers_parked_at(tx: Tx, at: datetime) -> int:
    """How many customers were parked at exactly this instant, that is by the run of it."""
    count: int = await tx.fetchval(
        """
        SELECT count(DISTINCT s.customer_id) FROM component_schedule c
        JOIN subscription s ON s.merchant_id = c.merchant_id AND s.id = c.subscription_id
        WHERE c.merchant_id = $1 AND c.parked_at = $2
        """,
        tx.merchant_id,
        at,
    )
    return count


async def lock_subscription(tx: Tx, subscription_id: SubscriptionId) -> None:
    """Locks one subscription, waiting for who holds it."""
    await tx.execute(
        "SELECT id FROM subscription WHERE merchant_id = $1 AND id = $2 FOR UPDATE",
        tx.merchant_id,
        subscription_id,
    )


async def unpark(tx: Tx, ids: Sequence[SubscriptionId]) -> None:
    """Lets these subscriptions be billed again."""
    await tx.execute(
        """
        UPDATE component_schedule SET parked_at = NULL
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(ids),
    )
