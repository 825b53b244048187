"""Changes what people read of a plan, which needs no new version (CAT-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from candela_server.storage.postgres import Tx

from . import read, version_store
from .model import Plan
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """What to change; None leaves a field as it is. Labels merge by key, an empty value removes one."""

    plan: Ref
    name: str | None
    description: str | None
    publicly_visible: bool | None
    metadata: Mapping[str, str]


async def update_plan(tx: Tx, command: UpdatePlan) -> Plan:
    """Changes what the command names; versions, prices and checks stay as they are. Raises PlanNotFoundError."""
    before = await read.get_plan(tx, command.plan, lock=True)
    labels = {**before.metadata, **command.metadata}
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        description=before.description if command.description is None else command.description,
        publicly_visible=before.publicly_visible
        if command.publicly_visible is None
        else command.publicly_visible,
        metadata={key: value for key, value in labels.items() if value},
    )
    await version_store.update_plan(tx, after)
    await tx.audit("plan.updated", after.id, before=_trace(before), after=_trace(after))
    return after


def _trace(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "description": plan.description,
        "publicly_visible": plan.publicly_visible,
        "metadata": dict(plan.metadata),
    }
