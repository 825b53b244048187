"""Every SQL text over credits that renew by a rule of their own; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog.model import CreditDefinitionId
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .model import SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Which credit of which subscription is granted next, for the period of which number, and when."""

    subscription_id: SubscriptionId
    definition_id: CreditDefinitionId
    test_clock_id: TestClockId | None
    number: int
    due_at: datetime


async def put_renewals(tx: Tx, rows: Sequence[Renewal]) -> None:
    """Stores when credits are granted next, in place of what was stored."""
    await tx.executemany(
        """
        INSERT INTO credit_renewal (merchant_id, subscription_id, definition_id, test_clock_id,
                                    number, due_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (merchant_id, subscription_id, definition_id)
        DO UPDATE SET number = excluded.number, due_at = excluded.due_at
        """,
        [
            (
                tx.merchant_id,
                one.subscription_id,
                one.definition_id,
                one.test_clock_id,
                one.number,
                one.due_at,
            )
            for one in rows
        ],
    )


async def delete_renewals(tx: Tx, rows: Sequence[Renewal]) -> None:
    """Forgets renewals that will not be."""
    await tx.executemany(
        """
        DELETE FROM credit_renewal
        WHERE merchant_id = $1 AND subscription_id = $2 AND definition_id = $3
        """,
        [(tx.merchant_id, one.subscription_id, one.definition_id) for one in rows],
    )


async def lock_due(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None, limit: int
) -> list[Renewal]:
    """Locks renewals that are due, soonest first, passing by those that another worker holds."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, definition_id, test_clock_id, number, due_at FROM credit_renewal
        WHERE merchant_id = $1 AND due_at <= $2 AND test_clock_id IS NOT DISTINCT FROM $3
        ORDER BY due_at, subscription_id, definition_id LIMIT $4
        FOR UPDATE SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        test_clock_id,
        limit,
    )
    return [
        Renewal(
            subscription_id=row["subscription_id"],
            definition_id=row["definition_id"],
            test_clock_id=row["test_clock_id"],
            number=row["number"],
            due_at=row["due_at"],
        )
        for row in rows
    ]


async def list_unscheduled(tx: Tx, limit: int) -> list[tuple[SubscriptionId, TestClockId | None]]:
    """Running subscriptions that come with credits of a rule of their own for which nothing is scheduled."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT s.id, c.test_clock_id
        FROM credit_definition d
        JOIN subscription_version v ON v.merchant_id = d.merchant_id
         AND v.plan_version_id = d.plan_version_id AND v.valid_to IS NULL
        JOIN subscription s ON s.merchant_id = v.merchant_id AND s.id = v.subscription_id
        JOIN customer c ON c.merchant_id = s.merchant_id AND c.id = s.customer_id
        WHERE d.merchant_id = $1 AND d.renewal_rule IS NOT NULL AND d.archived_at IS NULL
          AND (d.price_id IS NULL OR d.price_id = v.price_id
               OR d.price_id = (SELECT p.varies_price_id FROM price p
                                WHERE p.merchant_id = v.merchant_id AND p.id = v.price_id))
          AND v.status IN ('trialing', 'active', 'past_due', 'paused')
          AND NOT EXISTS (SELECT FROM credit_renewal r
                          WHERE r.merchant_id = d.merchant_id AND r.subscription_id = s.id
                            AND r.definition_id = d.id)
        ORDER BY s.id LIMIT $2
        """,
        tx.merchant_id,
        limit,
    )
    return [(row["id"], row["test_clock_id"]) for row in rows]


async def next_renewal_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When something next renews on a test clock."""
    found: datetime | None = await tx.fetchval(
        "SELECT min(due_at) FROM credit_renewal WHERE merchant_id = $1 AND test_clock_id = $2",
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_due(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom credits renew in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM credit_renewal
        WHERE test_clock_id IS NULL AND due_at <= $1
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]
