"""Begins the draft of a plan's next version: a copy of the current one with the given changes (CAT-2, CAT-3)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import draft_terms, read
from .create_credit_definition import NewCreditDefinition
from .errors import PlanArchivedError
from .granted_features import GrantedFeature, find_or_create_features, plan_features
from .model import PlanVersion
from .refs import Ref
from .version_trace import version_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlanVersion:
    """What the draft grants. A list that is empty is copied from the version on sale; a given one is whole."""

    plan: Ref
    features: tuple[GrantedFeature, ...]
    credit_definitions: tuple[NewCreditDefinition, ...]
    message: str


async def create_plan_version(tx: Tx, clock: Clock, command: CreatePlanVersion) -> PlanVersion:
    """Makes the draft, which nobody can buy yet; nothing that is sold changes.

    Raises PlanNotFoundError, PlanArchivedError, SlugTakenError, and InvalidInput whose violations point into the
    request.
    """
    plan = await read.get_plan(tx, command.plan, lock=True)
    if plan.archived_at is not None:
        raise PlanArchivedError(plan.slug)
    if command.features:
        found = await find_or_create_features(
            tx, clock, command.features, await read.metric_ids_in_use(tx)
        )
        features = plan_features(command.features, found)
    else:
        features = await draft_terms.features_of_current(tx, plan)
    draft = await draft_terms.begin_draft(tx, clock, plan, features, command.message)
    if command.credit_definitions:
        await draft_terms.add_credits(tx, clock, draft, command.credit_definitions)
    else:
        await draft_terms.copy_credits_of_current(tx, clock, plan, draft)
    await tx.audit(
        "plan_version.created",
        draft.id,
        after=await version_trace(tx, draft),
        reason=command.message or None,
    )
    return draft
