"""Stops a migration: what was moved stays moved, and nothing else moves (CAT-9)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import migration_store
from .migration import Migration, MigrationId, MigrationNotFoundError, MigrationStatus

CANCELED = "migration_canceled: the migration was canceled before it was moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMigration:
    """Which migration."""

    migration_id: MigrationId


async def cancel_migration(tx: Tx, clock: Clock, command: CancelMigration) -> Migration:
    """The migration, canceled; one that has ended stays as it is. Raises MigrationNotFoundError.

    Waits for the chunk that is being moved, so that the answer is final: after it, nobody is moved any more.
    """
    before = await migration_store.find_migration(tx, command.migration_id, lock=True)
    if before is None:
        raise MigrationNotFoundError(command.migration_id)
    after = before
    if before.status is MigrationStatus.RUNNING:
        await migration_store.fail_rest(tx, before.id, CANCELED)
        await migration_store.end_migration(
            tx, before.id, MigrationStatus.CANCELED, max(clock.now(), before.created_at)
        )
        found = await migration_store.find_migration(tx, before.id)
        assert found is not None, "locked above"
        after = found
    await tx.audit(
        "migration.canceled",
        after.id,
        before=_trace(before),
        after=_trace(after),
    )
    return after


def _trace(migration: Migration) -> dict[str, object]:
    return {
        "status": migration.status,
        "done_count": migration.done_count,
        "failed_count": migration.failed_count,
    }
