"""Every SQL text over what is billed next of a subscription, and over parked ones; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx

from .model import LastTerms, ParkedSubscription, ScheduledPeriod, SubscriptionId


async def insert_schedule(tx: Tx, rows: Sequence[ScheduledPeriod]) -> None:
    """Writes what is billed next of components."""
    terms = [row.last_terms for row in rows]
    await tx.execute(
        """
        INSERT INTO component_schedule (merchant_id, subscription_id, component_id, test_clock_id,
                                        period_number, period_start, period_end, due_at, price_id,
                                        plan_version_id, held)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[],
                    $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[],
                    $11::numeric[]) AS u
        """,
        tx.merchant_id,
        [row.subscription_id for row in rows],
        [row.component_id for row in rows],
        [row.test_clock_id for row in rows],
        [row.period_number for row in rows],
        [row.period.start_at for row in rows],
        [row.period.end_at for row in rows],
        [row.due_at for row in rows],
        [one.price_id if one else None for one in terms],
        [one.plan_version_id if one else None for one in terms],
        [one.held if one else None for one in terms],
    )


async def delete_schedule(tx: Tx, rows: Sequence[ScheduledPeriod]) -> None:
    """Forgets what was billed, or will not be."""
    await tx.execute(
        """
        DELETE FROM component_schedule c
        USING unnest($2::text[], $3::text[], $4::timestamptz[])
            AS u (subscription_id, component_id, period_start)
        WHERE c.merchant_id = $1 AND c.subscription_id = u.subscription_id
          AND c.component_id = u.component_id AND c.period_start = u.period_start
        """,
        tx.merchant_id,
        [row.subscription_id for row in rows],
        [row.component_id for row in rows],
        [row.period.start_at for row in rows],
    )


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


async def list_waiting(tx: Tx, customer_ids: Sequence[CustomerId]) -> list[ScheduledPeriod]:
    """The periods, or parts of them, of these customers that are billed a last time by terms that ended, oldest
    first."""
    rows = await tx.fetch(
        """
        SELECT c.subscription_id, c.component_id, c.test_clock_id, c.period_number, c.period_start,
               c.period_end, c.due_at, c.price_id, c.plan_version_id, c.held
        FROM subscription s
        JOIN component_schedule c ON c.merchant_id = s.merchant_id AND c.subscription_id = s.id
        WHERE s.merchant_id = $1 AND s.customer_id = ANY($2::text[]) AND c.price_id IS NOT NULL
        ORDER BY c.period_start, c.subscription_id, c.component_id
        """,
        tx.merchant_id,
        list(customer_ids),
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


async def parked_since(tx: Tx, ids: Sequence[SubscriptionId]) -> dict[SubscriptionId, datetime]:
    """Since when those of these subscriptions are parked that are."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, min(parked_at) AS parked_at FROM component_schedule
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[]) AND parked_at IS NOT NULL
        GROUP BY subscription_id
        """,
        tx.merchant_id,
        list(ids),
    )
    return {SubscriptionId(row["subscription_id"]): row["parked_at"] for row in rows}


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


async def park(tx: Tx, ids: Sequence[SubscriptionId], at: datetime) -> None:
    """Stops billing of these subscriptions until a person looks."""
    await tx.execute(
        """
        UPDATE component_schedule SET parked_at = $3
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(ids),
        at,
    )


def scheduled_from_row(row: Mapping[str, Any]) -> ScheduledPeriod:
    """A period from a row of component_schedule."""
    return ScheduledPeriod(
        subscription_id=row["subscription_id"],
        component_id=row["component_id"],
        test_clock_id=row["test_clock_id"],
        period_number=row["period_number"],
        period=Interval(row["period_start"], row["period_end"]),
        due_at=row["due_at"],
        last_terms=LastTerms(
            plan_version_id=row["plan_version_id"], price_id=row["price_id"], held=row["held"]
        )
        if row["price_id"]
        else None,
    )
