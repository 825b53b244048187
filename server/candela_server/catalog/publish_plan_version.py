"""Freezes a draft and sells it from now on; running subscriptions stay on their version (CAT-3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, version_store
from .errors import PlanArchivedError, PlanVersionPublishedError
from .keep_downgrade_plan import keep_downgrade_plan
from .model import PlanVersion, PlanVersionId, PlanVersionStatus
from .refs import ById
from .rules.version_states import may_become, publication_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPlanVersion:
    """Which draft."""

    version_id: PlanVersionId


async def publish_plan_version(tx: Tx, clock: Clock, command: PublishPlanVersion) -> PlanVersion:
    """Publishes a draft; nobody is on it yet but past-due customers whom the policy leaves its plan.

    Raises PlanVersionNotFoundError, PlanVersionPublishedError and PlanArchivedError.
    """
    draft = await read.get_plan_version(tx, command.version_id, lock=True)
    if not may_become(draft.status, PlanVersionStatus.PUBLISHED):
        raise PlanVersionPublishedError(draft.id, draft.status)
    plan = await read.get_plan(tx, ById(draft.plan_id))
    if plan.archived_at is not None:
        raise PlanArchivedError(plan.slug)
    published = await publish_draft(tx, clock, draft)
    await tx.audit(
        "plan_version.published",
        draft.id,
        before={"status": draft.status, "current_version_id": plan.current_version_id},
        after={
            "status": published.status,
            "current_version_id": published.id,
            "plan_id": plan.id,
            "number": published.number,
            "published_at": published.published_at,
        },
        reason=published.message or None,
    )
    await keep_downgrade_plan(tx, plan.id)
    return published


async def publish_draft(tx: Tx, clock: Clock, draft: PlanVersion) -> PlanVersion:
    """The step itself, for acts that made the draft in the same transaction; its plan is new or locked."""
    published = replace(
        draft,
        status=PlanVersionStatus.PUBLISHED,
        published_at=publication_instant(
            clock.now(), await version_store.latest_publication(tx, draft.plan_id)
        ),
    )
    await version_store.set_status(tx, draft.id, published.status, published.published_at)
    return published
