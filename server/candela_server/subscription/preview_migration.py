"""Says whom a migration would reach and what would become of each, and changes nothing (CAT-9)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import migration_store
from .judge_moves import Asked, judge_moves
from .migration import MigrationResult, MigrationTerms
from .resolve_migration import resolve_migration


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPreview:
    """How many a migration would reach, and what would become of some of them, by subscription."""

    total_count: int
    results: tuple[MigrationResult, ...]


async def preview_migration(
    tx: Tx, clock: Clock, terms: MigrationTerms, *, after_id: str, limit: int
) -> MigrationPreview:
    """At most `limit` results after the given subscription; decided as the job would decide them now.

    Raises what `resolve_migration` raises.
    """
    await resolve_migration(tx, terms)
    chosen = await migration_store.page_chosen(tx, terms, after_id=after_id, limit=limit)
    judged = await judge_moves(
        tx,
        clock,
        [Asked(subscription_id=one, migration_id=None, terms=terms) for one in chosen],
    )
    return MigrationPreview(
        total_count=await migration_store.count_chosen(tx, terms),
        results=tuple(
            MigrationResult(
                subscription_id=one.held.id,
                currency=one.held.currency,
                outcome=one.decision.outcome,
                reason=one.decision.reason,
                due_at=one.decision.at,
            )
            for one in judged
        ),
    )
