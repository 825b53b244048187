"""What a trial ends in for who has no payment method: as it was asked for, and as it is kept (TRL-2)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Tx

from . import read
from .check_downgrade_plan import free_plan_problem
from .errors import PlanNotFoundError
from .model import PlanId, TrialEndBehavior, TrialEnding
from .refs import Ref

FIELD = "trial_end_plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrialEnding:
    """What was asked for. `free_plan` is set exactly for DOWNGRADE_TO_FREE."""

    behavior: TrialEndBehavior
    free_plan: Ref | None = None

    def __post_init__(self) -> None:
        downgrades = self.behavior is TrialEndBehavior.DOWNGRADE_TO_FREE
        assert downgrades == (self.free_plan is not None), "the wire refuses it"


async def find_trial_ending(tx: Tx, new: NewTrialEnding) -> TrialEnding:
    """The ending with the plan that remains, which must be free and sold.

    Raises InvalidInput at `trial_end_plan`.
    """
    if new.free_plan is None:
        return TrialEnding(behavior=new.behavior)
    try:
        plan = await read.get_plan(tx, new.free_plan)
    except PlanNotFoundError as error:
        raise InvalidInput(error.message, field=FIELD) from error
    problem = await free_plan_problem(tx, plan)
    if problem is not None:
        raise InvalidInput(problem, field=FIELD)
    return TrialEnding(behavior=new.behavior, free_plan_id=PlanId(plan.id))
