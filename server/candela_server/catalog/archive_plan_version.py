"""Takes a published version out of sale; those who are on it stay on it and are billed (CAT-3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.storage.postgres import Tx

from . import read, version_store
from .errors import PlanVersionIsDraftError
from .keep_downgrade_plan import keep_downgrade_plan
from .model import PlanVersion, PlanVersionId, PlanVersionStatus
from .rules.version_states import may_become


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlanVersion:
    """Which published version."""

    version_id: PlanVersionId


async def archive_plan_version(tx: Tx, command: ArchivePlanVersion) -> PlanVersion:
    """Archives a version; an archived one stays as it is. What is sold then is the version published before it.

    Raises PlanVersionNotFoundError, PlanVersionIsDraftError and DowngradePlanNeededError.
    """
    before = await read.get_plan_version(tx, command.version_id, lock=True)
    after = before
    if before.status is PlanVersionStatus.DRAFT:
        raise PlanVersionIsDraftError(before.id)
    if may_become(before.status, PlanVersionStatus.ARCHIVED):
        after = replace(before, status=PlanVersionStatus.ARCHIVED)
        await version_store.set_status(tx, after.id, after.status, after.published_at)
    await tx.audit(
        "plan_version.archived",
        after.id,
        before={"status": before.status},
        after={"status": after.status, "plan_id": after.plan_id, "number": after.number},
    )
    await keep_downgrade_plan(tx, after.plan_id)
    return after
