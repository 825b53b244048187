"""Every SQL text over migrations and their results; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from candela_server.catalog.model import PlanVersionId
from candela_server.catalog.price import PriceId
from candela_server.customer.model import CustomerId
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Row, Tx

from .migration import (
    Migration,
    MigrationFilter,
    MigrationId,
    MigrationResult,
    MigrationStatus,
    MigrationTerms,
    MoveTiming,
    Outcome,
    Proration,
)
from .model import SubscriptionId

_MIGRATION = """m.id, m.plan_id, m.from_plan_version_id, m.to_plan_version_id, m.filter, m.timing,
                m.effective_at, m.proration, m.actor, m.status, m.created_at, m.ended_at,
                n.total_count, n.done_count, n.failed_count"""
# Counted, never kept: a migration's progress is always what its results say.
_COUNTED = """plan_migration m CROSS JOIN LATERAL (
                  SELECT count(*) AS total_count,
                         count(*) FILTER (WHERE r.outcome IN ('moved', 'scheduled')) AS done_count,
                         count(*) FILTER (WHERE r.outcome = 'failed') AS failed_count
                  FROM migration_result r
                  WHERE r.merchant_id = m.merchant_id AND r.migration_id = m.id
              ) AS n"""
_RESULT = "subscription_id, currency, outcome, reason, due_at"
# $2 is the version they are on, $3 to $5 are the filter's lists; an empty one is no condition.
_CHOSEN = """subscription_version v
             JOIN subscription s ON s.merchant_id = v.merchant_id AND s.id = v.subscription_id
             WHERE v.merchant_id = $1 AND v.valid_to IS NULL
               AND ((cardinality($3::text[]) = 0 AND v.plan_version_id = $2
                     AND v.status NOT IN ('canceled', 'expired'))
                    OR v.subscription_id = ANY($3::text[]))
               AND (cardinality($4::text[]) = 0 OR s.customer_id = ANY($4::text[]))
               AND (cardinality($5::text[]) = 0 OR v.price_id = ANY($5::text[]))"""


def _conditions(tx: Tx, terms: MigrationTerms) -> tuple[Any, ...]:
    return (
        tx.merchant_id,
        terms.from_version_id,
        list(terms.filter.subscription_ids),
        list(terms.filter.customer_ids),
        list(terms.filter.price_ids),
    )


async def count_chosen(tx: Tx, terms: MigrationTerms) -> int:
    """How many subscriptions the terms reach now."""
    count: int = await tx.fetchval(f"SELECT count(*) FROM {_CHOSEN}", *_conditions(tx, terms))
    return count


async def page_chosen(
    tx: Tx, terms: MigrationTerms, *, after_id: str, limit: int
) -> list[SubscriptionId]:
    """One page of the subscriptions that the terms reach now, by id."""
    rows = await tx.fetch(
        f"SELECT v.subscription_id FROM {_CHOSEN} AND v.subscription_id > $6 "
        "ORDER BY v.subscription_id LIMIT $7",
        *_conditions(tx, terms),
        after_id,
        limit,
    )
    return [row["subscription_id"] for row in rows]


async def list_prices_of_chosen(tx: Tx, terms: MigrationTerms) -> list[PriceId]:
    """The prices held by those whom the terms reach on the version that they leave."""
    rows = await tx.fetch(
        f"SELECT DISTINCT v.price_id FROM {_CHOSEN} AND v.plan_version_id = $2 ORDER BY v.price_id",
        *_conditions(tx, terms),
    )
    return [row["price_id"] for row in rows]


async def insert_migration(tx: Tx, migration: Migration) -> None:
    """Stores a new migration, without results."""
    terms = migration.terms
    await tx.execute(
        """
        INSERT INTO plan_migration (merchant_id, id, plan_id, from_plan_version_id,
                                    to_plan_version_id, filter, timing, effective_at, proration,
                                    actor, status, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        tx.merchant_id,
        migration.id,
        migration.plan_id,
        terms.from_version_id,
        terms.to_version_id,
        {
            "subscription_ids": list(terms.filter.subscription_ids),
            "customer_ids": list(terms.filter.customer_ids),
            "price_ids": list(terms.filter.price_ids),
        },
        terms.timing,
        terms.effective_at,
        terms.proration,
        migration.actor,
        migration.status,
        migration.created_at,
    )


async def insert_pending(tx: Tx, migration: Migration) -> int:
    """Gives each subscription that the terms reach now a result that is pending; returns how many."""
    return await tx.execute(
        f"""
        INSERT INTO migration_result (merchant_id, migration_id, subscription_id, test_clock_id,
                                      currency, outcome)
        SELECT chosen.merchant_id, $6, chosen.id, c.test_clock_id, chosen.currency, 'pending'
        FROM (SELECT s.merchant_id, s.id, s.customer_id, s.currency FROM {_CHOSEN}) AS chosen
        JOIN customer c ON c.merchant_id = chosen.merchant_id AND c.id = chosen.customer_id
        """,
        *_conditions(tx, migration.terms),
        migration.id,
    )


async def find_migration(
    tx: Tx, migration_id: MigrationId, *, lock: bool = False
) -> Migration | None:
    """The migration as it stands; who changes it or its results waits until commit when it is locked."""
    if lock:
        await tx.execute(
            "SELECT 1 FROM plan_migration WHERE merchant_id = $1 AND id = $2 FOR NO KEY UPDATE",
            tx.merchant_id,
            migration_id,
        )
    row = await tx.fetchrow(
        f"SELECT {_MIGRATION} FROM {_COUNTED} WHERE m.merchant_id = $1 AND m.id = $2",
        tx.merchant_id,
        migration_id,
    )
    return _migration_from_row(row) if row else None


async def page_migrations(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None
) -> list[Migration]:
    """One page of migrations by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_MIGRATION} FROM {_COUNTED}
        WHERE m.merchant_id = $1
          AND ($2::timestamptz IS NULL OR (m.created_at, m.id) > ($2, $3))
        ORDER BY m.created_at, m.id LIMIT $4
        """,
        tx.merchant_id,
        after_at,
        after_id,
        limit,
    )
    return [_migration_from_row(row) for row in rows]


async def page_results(
    tx: Tx,
    migration_id: MigrationId,
    *,
    outcomes: Sequence[Outcome],
    after_id: str,
    limit: int,
) -> list[MigrationResult]:
    """One page of a migration's results by subscription."""
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_RESULT} FROM migration_result
        WHERE merchant_id = $1 AND migration_id = $2 AND subscription_id > $3
          AND (cardinality($4::text[]) = 0 OR outcome = ANY($4::text[]))
        ORDER BY subscription_id LIMIT $5
        """,
        tx.merchant_id,
        migration_id,
        after_id,
        list(outcomes),
        limit,
    )
    return [
        MigrationResult(
            subscription_id=row["subscription_id"],
            currency=row["currency"],
            outcome=Outcome(row["outcome"]),
            reason=row["reason"],
            due_at=row["due_at"],
        )
        for row in rows
    ]


async def end_migration(
    tx: Tx, migration_id: MigrationId, status: MigrationStatus, at: datetime
) -> None:
    """Ends a running migration."""
    await tx.execute(
        """
        UPDATE plan_migration SET status = $3, ended_at = $4
        WHERE merchant_id = $1 AND id = $2 AND status = 'running'
        """,
        tx.merchant_id,
        migration_id,
        status,
        at,
    )


async def fail_rest(tx: Tx, migration_id: MigrationId, reason: str) -> None:
    """Fails what was not moved yet; the migration must be locked."""
    await tx.execute(
        """
        UPDATE migration_result SET outcome = 'failed', reason = $3
        WHERE merchant_id = $1 AND migration_id = $2 AND outcome IN ('pending', 'scheduled')
        """,
        tx.merchant_id,
        migration_id,
        reason,
    )


def terms_from_row(row: Row) -> MigrationTerms:
    """The terms inside a row of plan_migration."""
    chosen = row["filter"]
    return MigrationTerms(
        from_version_id=PlanVersionId(row["from_plan_version_id"]),
        to_version_id=PlanVersionId(row["to_plan_version_id"]),
        filter=MigrationFilter(
            subscription_ids=tuple(map(SubscriptionId, chosen["subscription_ids"])),
            customer_ids=tuple(map(CustomerId, chosen["customer_ids"])),
            price_ids=tuple(map(PriceId, chosen["price_ids"])),
        ),
        timing=MoveTiming(row["timing"]),
        effective_at=row["effective_at"],
        proration=Proration(row["proration"]),
    )


def _migration_from_row(row: Row) -> Migration:
    return Migration(
        id=row["id"],
        plan_id=row["plan_id"],
        terms=terms_from_row(row),
        actor=row["actor"],
        status=MigrationStatus(row["status"]),
        total_count=row["total_count"],
        done_count=row["done_count"],
        failed_count=row["failed_count"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
