"""Replaces what a draft grants; a published version never changes (CAT-3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import draft_terms, read, version_store
from .create_credit_definition import NewCreditDefinition
from .errors import PlanVersionPublishedError
from .granted_features import GrantedFeature, find_or_create_features, plan_features
from .model import PlanVersion, PlanVersionId, PlanVersionStatus
from .version_trace import version_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlanVersion:
    """What the draft grants from now on, whole: an empty list means nothing. An empty message leaves the old one."""

    version_id: PlanVersionId
    features: tuple[GrantedFeature, ...]
    credit_definitions: tuple[NewCreditDefinition, ...]
    message: str


async def update_plan_version(tx: Tx, clock: Clock, command: UpdatePlanVersion) -> PlanVersion:
    """Replaces the draft's features and credits; it keeps its number and its author.

    Raises PlanVersionNotFoundError, PlanVersionPublishedError, SlugTakenError, and InvalidInput whose violations point
    into the request.
    """
    before = await read.get_plan_version(tx, command.version_id, lock=True)
    if before.status is not PlanVersionStatus.DRAFT:
        raise PlanVersionPublishedError(before.id, before.status)
    trace_before = await version_trace(tx, before)
    found = await find_or_create_features(
        tx, clock, command.features, await read.metric_ids_in_use(tx)
    )
    after = replace(
        before,
        features=plan_features(command.features, found),
        message=command.message or before.message,
    )
    await version_store.empty_draft(tx, after.id)
    await version_store.insert_granted_features(tx, after)
    await version_store.set_message(tx, after.id, after.message)
    await draft_terms.add_credits(tx, clock, after, command.credit_definitions)
    await tx.audit(
        "plan_version.updated",
        after.id,
        before=trace_before,
        after=await version_trace(tx, after),
        reason=command.message or None,
    )
    return after
