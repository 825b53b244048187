"""Begins to move subscribers: who is reached is fixed here, and the worker moves them (CAT-9)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import migration_store, move_store
from .migration import Migration, MigrationId, MigrationStatus, MigrationTerms
from .resolve_migration import resolve_migration

MIGRATION_BEGUN = "migration_begun"


async def create_migration(tx: Tx, clock: Clock, terms: MigrationTerms) -> Migration:
    """A running migration with a pending result for everyone whom the terms reach now.

    Who subscribes later is not moved. Raises what `resolve_migration` raises.
    """
    plan_id = await resolve_migration(tx, terms)
    empty = Migration(
        id=MigrationId(new_id("mig")),
        plan_id=plan_id,
        terms=terms,
        actor=tx.caller.actor if tx.caller else "system",
        status=MigrationStatus.RUNNING,
        total_count=0,
        done_count=0,
        failed_count=0,
        created_at=clock.now(),
        ended_at=None,
    )
    await migration_store.insert_migration(tx, empty)
    migration = replace(empty, total_count=await migration_store.insert_pending(tx, empty))
    await tx.audit(
        "migration.created",
        migration.id,
        after={
            "plan_id": plan_id,
            "from_plan_version_id": terms.from_version_id,
            "to_plan_version_id": terms.to_version_id,
            "timing": terms.timing,
            "effective_at": terms.effective_at,
            "subscriptions": migration.total_count,
        },
    )
    # One job per clock, so that on a test clock moves and billing take turns; real time when nobody is reached.
    for test_clock_id in await move_store.list_clocks(tx, migration.id) or [None]:
        await tx.announce(
            MIGRATION_BEGUN,
            migration.id,
            {"migration_id": migration.id, "test_clock_id": test_clock_id},
        )
    return migration
