"""Whether a plan can be what remains: for a past-due customer (ENT-10), or after a trial nobody can pay for (TRL-2)."""

from __future__ import annotations

from candela_server.storage.postgres import Tx

from . import read
from .errors import PlanNotFoundError
from .model import Plan
from .refs import ById
from .rules.free_plan import plan_is_free


async def downgrade_plan_problem(tx: Tx, plan_id: str) -> str | None:
    """What speaks against the plan, which must be free and sold; None when nothing does."""
    try:
        plan = await read.get_plan(tx, ById(plan_id))
    except PlanNotFoundError as error:
        return error.message
    return await free_plan_problem(tx, plan)


async def free_plan_problem(tx: Tx, plan: Plan) -> str | None:
    """As downgrade_plan_problem, of a plan that was found. A trial is no free plan: something follows it (D18)."""
    if plan.archived_at is not None or plan.current_version_id is None:
        return f"plan {plan.slug!r} is not sold; choose one with a published version"
    if plan.trial is not None:
        return f"plan {plan.slug!r} is a trial; choose one that costs nothing for good"
    if not plan_is_free(await read.list_prices_on_sale(tx, plan.id)):
        return f"plan {plan.slug!r} is not free; choose one that costs nothing"
    return None
