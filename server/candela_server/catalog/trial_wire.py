"""Terms of trials, between the contract and the model (TRL-1, TRL-2); nothing here decides."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import plan_pb2, plan_service_pb2

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import whole_number

from .create_plan import NewTrial
from .members import member_named
from .model import TrialEndBehavior, TrialEnding
from .ref_wire import ref_from_proto
from .trial_ending import NewTrialEnding

MAX_TRIAL_DAYS = 365

_BEHAVIORS = {
    TrialEndBehavior.CANCEL: plan_pb2.TRIAL_END_BEHAVIOR_CANCEL,
    TrialEndBehavior.PAUSE: plan_pb2.TRIAL_END_BEHAVIOR_PAUSE,
    TrialEndBehavior.DOWNGRADE_TO_FREE: plan_pb2.TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE,
}


def trial_from_proto(
    fields: FieldViolations, request: plan_service_pb2.CreatePlanRequest
) -> NewTrial | None:
    """What the trial leads to; None for a plan that is no trial."""
    if not request.is_trial_plan:
        for name in ("trial_parent_plan", "trial_end_plan"):
            if request.HasField(name):
                fields.add(name, "must be absent unless is_trial_plan is set")
        if request.trial_days:
            fields.add("trial_days", "must be 0 unless is_trial_plan is set")
        if request.trial_end_behavior:
            fields.add("trial_end_behavior", "must be unspecified unless is_trial_plan is set")
        return None
    if request.is_enterprise_plan:
        fields.add("is_enterprise_plan", "must not be set for a trial")
    return NewTrial(
        parent=fields.read("trial_parent_plan", ref_from_proto, "plan", request.trial_parent_plan),
        days=fields.read("trial_days", whole_number(1, MAX_TRIAL_DAYS), request.trial_days),
        ending=trial_ending_from_proto(fields, request)
        or NewTrialEnding(behavior=TrialEndBehavior.CANCEL),
    )


def trial_ending_from_proto(fields: FieldViolations, request: Any) -> NewTrialEnding | None:
    """The fields `trial_end_behavior` and `trial_end_plan` of a request; None when nothing is said.

    Which plan remains must be named for a downgrade, and for nothing else.
    """
    behavior = TrialEndBehavior.CANCEL
    if request.trial_end_behavior:
        behavior = fields.read(
            "trial_end_behavior", member_named, _BEHAVIORS, request.trial_end_behavior
        )
    named = request.HasField("trial_end_plan")
    if behavior is TrialEndBehavior.DOWNGRADE_TO_FREE:
        if not named:
            fields.add(
                "trial_end_plan",
                "must name the free plan that remains for TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE",
            )
            return None
        plan = fields.read("trial_end_plan", ref_from_proto, "plan", request.trial_end_plan)
        return NewTrialEnding(behavior=behavior, free_plan=plan)
    if named:
        fields.add(
            "trial_end_plan",
            "must be absent unless trial_end_behavior is TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE",
        )
    return NewTrialEnding(behavior=behavior) if request.trial_end_behavior else None


def trial_ending_to_proto(ending: TrialEnding | None) -> dict[str, Any]:
    """The same two things as they are shown; nothing for what is no trial."""
    if ending is None:
        return {}
    return {
        "trial_end_behavior": _BEHAVIORS[ending.behavior],
        "trial_end_plan_id": ending.free_plan_id,
    }
