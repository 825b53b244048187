"""Moves a migration's subscribers, chunk by chunk: each chunk is one transaction, and all of it or nothing (CAT-9).

Locks are always taken in one order: subscriptions (those that others hold are passed by), then migrations, then
results; the job of one migration takes its migration first and never waits for a subscription. What a killed worker
had not committed is still pending, and whoever goes on finds it; what it had committed has its result. So each
subscription gets one new version, however often the job is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from candela_server.kernel.clock import Clock, FixedClock
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres, Tx

from . import move_store, version_store
from .judge_moves import Asked, Judged, judge_moves
from .migration import MigrationId, Outcome
from .model import SubscriptionVersion
from .move_store import Running, Settled

CHUNK = 500
"""How many subscriptions share a transaction: enough to be fast, few enough that nobody waits long for its locks."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a chunk did: how many it decided about, and whether there is more that nobody has decided about."""

    decided: int
    more: bool


async def move_chunk(
    db: Postgres,
    clock: Clock,
    merchant_id: str,
    migration_id: MigrationId,
    *,
    test_clock_id: TestClockId | None,
    limit: int = CHUNK,
) -> Moved:
    """Decides about the next subscriptions of one migration that live on one clock, and moves or schedules them."""
    async with db.writing(merchant_id) as tx:
        more = await move_store.has_pending(tx, migration_id, test_clock_id=test_clock_id)
        running = await move_store.lock_running(tx, [migration_id], wait=False)
        if migration_id not in running:
            return Moved(0, more)
        pending = await move_store.lock_pending(
            tx, migration_id, test_clock_id=test_clock_id, limit=limit
        )
        judged = await judge_moves(
            tx,
            clock,
            [
                Asked(
                    subscription_id=one,
                    migration_id=migration_id,
                    terms=running[migration_id].terms,
                )
                for one in pending
            ],
        )
        decided = await _carry_out(tx, clock.now(), judged, running)
        more = await move_store.has_pending(tx, migration_id, test_clock_id=test_clock_id)
    return Moved(decided, more)


async def move_due(
    db: Postgres,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Makes the scheduled moves of a merchant that are due at `now`, in real time or on one test clock.

    Billing does this before it bills, so that what renews at an instant renews as the version says that holds from
    that instant. Returns how many moves were decided.
    """
    count = 0
    while decided := await _move_due_chunk(db, merchant_id, now, test_clock_id):
        count += decided
    return count


async def _move_due_chunk(
    db: Postgres, merchant_id: str, now: datetime, test_clock_id: TestClockId | None
) -> int:
    async with db.writing(merchant_id) as tx:
        ids = await move_store.lock_due(tx, until=now, test_clock_id=test_clock_id, limit=CHUNK)
        if not ids:
            return 0
        named = sorted({one.migration_id for one in await move_store.list_scheduled(tx, ids)})
        running = await move_store.lock_running(tx, named, wait=True)
        judged = await judge_moves(
            tx,
            FixedClock(now),
            [
                Asked(
                    subscription_id=one.subscription_id,
                    migration_id=one.migration_id,
                    terms=running[one.migration_id].terms,
                    due_at=one.due_at,
                )
                # Read again under the lock: one of the migrations may have been canceled while we came.
                for one in await move_store.list_scheduled(tx, ids)
                if one.due_at is not None and one.due_at <= now
            ],
        )
        return await _carry_out(tx, now, judged, running)


async def _carry_out(
    tx: Tx,
    now: datetime,
    judged: Sequence[Judged],
    running: Mapping[MigrationId, Running],
) -> int:
    """Writes what was decided: new versions, results, traces; ends the migrations in which nothing waits any more."""
    versions = {
        one.held.id: _moved_version(one, running)
        for one in judged
        if one.decision.outcome is Outcome.MOVED
    }
    appended = await version_store.append_versions(tx, versions) if versions else set()
    # Whoever got another version between reading and writing is decided about again by the next chunk.
    settled = [
        one
        for one in judged
        if one.decision.outcome is not Outcome.MOVED or one.held.id in appended
    ]
    await move_store.settle(tx, [_settled(one) for one in settled])
    moved = [one for one in settled if one.decision.outcome is Outcome.MOVED]
    await tx.audit_many(
        "subscription.migrated",
        [(one.held.id, _trace(one.held.version), _trace(versions[one.held.id])) for one in moved],
    )
    for holder in sorted({one.held.customer_id for one in moved}):
        await tx.entitlements_changed(holder)
    ended = await move_store.end_finished(tx, sorted(running), now)
    await tx.audit_many(
        "migration.done", [(one, {"status": "running"}, {"status": "done"}) for one in ended]
    )
    return len(settled)


def _moved_version(one: Judged, running: Mapping[MigrationId, Running]) -> SubscriptionVersion:
    """The version before, on the new plan version and nothing else changed; by whoever began the migration."""
    assert one.asked.migration_id is not None, "only previews have none"
    assert one.decision.at is not None, "a move has an instant"
    before = one.held.version
    return replace(
        before,
        number=before.number + 1,
        plan_version_id=one.asked.terms.to_version_id,
        valid_from=one.decision.at,
        valid_to=None,
        reason=f"migration {one.asked.migration_id}",
        actor=running[one.asked.migration_id].actor,
    )


def _settled(one: Judged) -> Settled:
    assert one.asked.migration_id is not None, "only previews have none"
    return Settled(
        migration_id=one.asked.migration_id,
        subscription_id=one.held.id,
        outcome=one.decision.outcome,
        reason=one.decision.reason,
        due_at=one.decision.at,
    )


def _trace(version: SubscriptionVersion) -> dict[str, object]:
    return {
        "version": version.number,
        "plan_version_id": version.plan_version_id,
        "price_id": version.price_id,
        "reason": version.reason,
    }
