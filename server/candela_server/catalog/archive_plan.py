"""Takes a plan out of sale; those who hold it keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, version_store
from .keep_downgrade_plan import keep_downgrade_plan
from .model import Plan
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlan:
    """Which plan."""

    plan: Ref


async def archive_plan(tx: Tx, clock: Clock, command: ArchivePlan) -> Plan:
    """Archives a plan; an archived one stays as it is. Raises PlanNotFoundError and DowngradePlanNeededError."""
    before = await read.get_plan(tx, command.plan, lock=True)
    after = before
    if before.archived_at is None:
        after = replace(before, archived_at=clock.now())
        await version_store.update_plan(tx, after)
    await tx.audit(
        "plan.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at},
    )
    if before.archived_at is None:
        await keep_downgrade_plan(tx, after.id)
    return after
