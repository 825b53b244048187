"""Looks after the plan that remains for past-due customers, whose answers rest on how it is sold now (ENT-10)."""

from __future__ import annotations

from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import read
from .errors import DowngradePlanNeededError
from .refs import ById


async def keep_downgrade_plan(tx: Tx, plan_id: str) -> None:
    """Called when what a plan sells has changed: if it is the policy's, answers of past-due customers are outdated.

    Raises DowngradePlanNeededError when it would not be sold any more, and nothing would be left for them. The merchant
    stays locked until commit, so that the policy cannot name the plan meanwhile.
    """
    policy = (await merchant.get_merchant(tx, lock=True)).settings.past_due_policy
    if policy.downgrade_plan_id != plan_id:
        return
    plan = await read.get_plan(tx, ById(plan_id))
    on_sale = await read.list_prices_on_sale(tx, plan.id)
    if plan.archived_at is not None or plan.current_version_id is None or not on_sale:
        raise DowngradePlanNeededError(plan.slug)
    await tx.entitlements_changed(None)
