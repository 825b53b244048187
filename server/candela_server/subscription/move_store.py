"""Every SQL text by which migrations find whom to move, and note what became of them; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .migration import MigrationId, MigrationTerms, Outcome, PendingWork
from .migration_store import terms_from_row
from .model import SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A migration that runs: what it is to do, and who began it."""

    id: MigrationId
    terms: MigrationTerms
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A result that is not final, of a migration that runs."""

    migration_id: MigrationId
    subscription_id: SubscriptionId
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a result becomes."""

    migration_id: MigrationId
    subscription_id: SubscriptionId
    outcome: Outcome
    reason: str
    due_at: datetime | None


def _on_clock(test_clock_id: TestClockId | None, parameter: str) -> str:
    # IS NOT DISTINCT FROM cannot use an index, hence two texts; the parameter is compared in one of them only.
    if test_clock_id is None:
        return f"r.test_clock_id IS NULL AND {parameter}::text IS NULL"
    return f"r.test_clock_id = {parameter}"


async def lock_running(
    tx: Tx, ids: Sequence[MigrationId], *, wait: bool
) -> dict[MigrationId, Running]:
    """Locks, in one fixed order, those of the migrations that run; without waiting, those that nobody else holds."""
    rows = await tx.fetch(
        f"""
        SELECT id, from_plan_version_id, to_plan_version_id, filter, timing, effective_at, proration,
               actor
        FROM plan_migration
        WHERE merchant_id = $1 AND id = ANY($2::text[]) AND status = 'running'
        ORDER BY id FOR NO KEY UPDATE {"" if wait else "SKIP LOCKED"}
        """,
        tx.merchant_id,
        list(ids),
    )
    return {
        row["id"]: Running(id=row["id"], terms=terms_from_row(row), actor=row["actor"])
        for row in rows
    }


async def lock_pending(
    tx: Tx, migration_id: MigrationId, *, test_clock_id: TestClockId | None, limit: int
) -> list[SubscriptionId]:
    """Locks subscriptions that a migration has not decided about, by id, passing by those that others hold."""
    rows = await tx.fetch(
        f"""
        SELECT s.id FROM migration_result r
        JOIN subscription s ON s.merchant_id = r.merchant_id AND s.id = r.subscription_id
        WHERE r.merchant_id = $1 AND r.migration_id = $2 AND r.outcome = 'pending'
          AND {_on_clock(test_clock_id, "$3")}
        ORDER BY r.subscription_id LIMIT $4
        FOR UPDATE OF s SKIP LOCKED
        """,
        tx.merchant_id,
        migration_id,
        test_clock_id,
        limit,
    )
    return [row["id"] for row in rows]


async def has_pending(
    tx: Tx, migration_id: MigrationId, *, test_clock_id: TestClockId | None
) -> bool:
    """Whether a migration has still to decide about somebody on this clock."""
    found: bool = await tx.fetchval(
        f"""
        SELECT EXISTS (SELECT FROM migration_result r
                       WHERE r.merchant_id = $1 AND r.migration_id = $2 AND r.outcome = 'pending'
                         AND {_on_clock(test_clock_id, "$3")})
        """,
        tx.merchant_id,
        migration_id,
        test_clock_id,
    )
    return found


async def lock_due(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None, limit: int
) -> list[SubscriptionId]:
    """Locks subscriptions whose scheduled move is due, the longest due first, passing by those that others hold.

    One that has something to be billed from before its move is left until that is billed.
    """
    rows = await tx.fetch(
        f"""
        SELECT s.id FROM migration_result r
        JOIN subscription s ON s.merchant_id = r.merchant_id AND s.id = r.subscription_id
        WHERE r.merchant_id = $1 AND r.outcome = 'scheduled' AND r.due_at <= $2
          AND {_on_clock(test_clock_id, "$3")}
          AND NOT EXISTS (
              SELECT FROM component_schedule c
              WHERE c.merchant_id = r.merchant_id AND c.subscription_id = r.subscription_id
                AND c.parked_at IS NULL AND c.due_at < r.due_at
          )
        ORDER BY r.due_at LIMIT $4
        FOR UPDATE OF s SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        test_clock_id,
        limit,
    )
    return [row["id"] for row in rows]


async def list_scheduled(tx: Tx, ids: Sequence[SubscriptionId]) -> list[Waiting]:
    """The scheduled moves of these subscriptions, at most one of each."""
    rows = await tx.fetch(
        """
        SELECT migration_id, subscription_id, due_at FROM migration_result
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[]) AND outcome = 'scheduled'
        ORDER BY subscription_id
        """,
        tx.merchant_id,
        list(ids),
    )
    return [Waiting(**dict(row)) for row in rows]


async def settle(tx: Tx, rows: Sequence[Settled]) -> None:
    """Notes what became of subscriptions; their migrations must be locked."""
    await tx.execute(
        """
        UPDATE migration_result r SET outcome = u.outcome, reason = u.reason, due_at = u.due_at
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
            AS u (migration_id, subscription_id, outcome, reason, due_at)
        WHERE r.merchant_id = $1 AND r.migration_id = u.migration_id
          AND r.subscription_id = u.subscription_id
        """,
        tx.merchant_id,
        [row.migration_id for row in rows],
        [row.subscription_id for row in rows],
        [row.outcome for row in rows],
        [row.reason for row in rows],
        [row.due_at for row in rows],
    )


async def end_finished(tx: Tx, ids: Sequence[MigrationId], at: datetime) -> list[MigrationId]:
    """Ends those of the migrations in which nothing waits any more; they must be locked. Returns which."""
    rows = await tx.fetch(
        """
        UPDATE plan_migration m SET status = 'done', ended_at = greatest($3, m.created_at)
        WHERE m.merchant_id = $1 AND m.id = ANY($2::text[]) AND m.status = 'running'
          AND NOT EXISTS (SELECT FROM migration_result r
                          WHERE r.merchant_id = m.merchant_id AND r.migration_id = m.id
                            AND r.outcome IN ('pending', 'scheduled'))
        RETURNING m.id
        """,
        tx.merchant_id,
        list(ids),
        at,
    )
    return [row["id"] for row in rows]


async def list_clocks(tx: Tx, migration_id: MigrationId) -> list[TestClockId | None]:
    """The clocks that a migration's subscriptions live on; None for real time."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT test_clock_id FROM migration_result
        WHERE merchant_id = $1 AND migration_id = $2 ORDER BY test_clock_id
        """,
        tx.merchant_id,
        migration_id,
    )
    return [row["test_clock_id"] for row in rows]


async def next_move_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When a scheduled move is next due on a test clock."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM migration_result
        WHERE merchant_id = $1 AND test_clock_id = $2 AND outcome = 'scheduled'
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_due_moves(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom a scheduled move is due in real time; in a system transaction."""
    # tenant-scope: the timetable looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM migration_result
        WHERE outcome = 'scheduled' AND test_clock_id IS NULL AND due_at <= $1
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]


async def list_pending_work(tx: Tx) -> list[PendingWork]:
    """What running migrations have still to decide, of all merchants; in a system transaction."""
    # tenant-scope: the timetable looks for unfinished work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id, migration_id, test_clock_id FROM migration_result
        WHERE outcome = 'pending' ORDER BY merchant_id, migration_id, test_clock_id
        """
    )
    return [PendingWork(**dict(row)) for row in rows]
