"""Whether a plan can be what remains for a past-due customer (ENT-10)."""

from __future__ import annotations

from candela_server.storage.postgres import Tx

from . import read
from .errors import PlanNotFoundError
from .refs import ById
from .rules.free_plan import plan_is_free


async def downgrade_plan_problem(tx: Tx, plan_id: str) -> str | None:
    """What speaks against the plan, which must be free and sold; None when nothing does."""
    try:
        plan = await read.get_plan(tx, ById(plan_id))
    except PlanNotFoundError as error:
        return error.message
    if plan.archived_at is not None or plan.current_version_id is None:
        return f"plan {plan.slug!r} is not sold; choose one with a published version"
    if not plan_is_free(await read.list_prices_on_sale(tx, plan.id)):
        return f"plan {plan.slug!r} is not free; choose one that costs nothing"
    return None
