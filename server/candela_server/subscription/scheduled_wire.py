"""Scheduled changes, between the contract and the model; nothing here decides."""

from __future__ import annotations

from typing import Any, assert_never

from candela.catalog.v1 import plan_pb2
from candela.subscription.v1 import scheduled_change_pb2 as pb
from candela.subscription.v1 import subscription_change_pb2, subscription_pb2

from candela_server.catalog.price_wire import component_to_proto
from candela_server.catalog.refs import BySlug
from candela_server.catalog.trial_wire import trial_ending_to_proto
from candela_server.contract.values import timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import instant, text, typed_id

from . import change_wire
from .change import (
    Cancellation,
    ChangeSubscription,
    ComponentSwap,
    Pause,
    PlanChange,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
    ScheduledChange,
    ScheduledChangeId,
    ScheduledStatus,
    Start,
    TrialEnd,
)
from .model import Proration
from .schedule_change import Moment, ScheduleChange

_READ_REASON = text(0, 500)
_MOMENTS: dict[int, Moment] = {
    pb.CHANGE_MOMENT_UNSPECIFIED: Moment.NEXT_BILLING,
    pb.CHANGE_MOMENT_AT: Moment.AT,
    pb.CHANGE_MOMENT_NEXT_BILLING: Moment.NEXT_BILLING,
    pb.CHANGE_MOMENT_TRIAL_END: Moment.TRIAL_END,
}
_STATUSES = {
    ScheduledStatus.PENDING: pb.SCHEDULED_CHANGE_STATUS_PENDING,
    ScheduledStatus.APPLIED: pb.SCHEDULED_CHANGE_STATUS_APPLIED,
    ScheduledStatus.CANCELED: pb.SCHEDULED_CHANGE_STATUS_CANCELED,
    ScheduledStatus.FAILED: pb.SCHEDULED_CHANGE_STATUS_FAILED,
}
_SHOWN_PRORATIONS = {
    None: subscription_pb2.PRORATION_BEHAVIOR_UNSPECIFIED,
    Proration.NEXT_INVOICE: subscription_pb2.PRORATION_BEHAVIOR_NEXT_INVOICE,
    Proration.INVOICE_NOW: subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW,
    Proration.NONE: subscription_pb2.PRORATION_BEHAVIOR_NONE,
}
_READERS: dict[str, Any] = {
    "change_plan": change_wire.change_plan_from_proto,
    "override_price": change_wire.override_price_from_proto,
    "change_quantity": change_wire.change_quantity_from_proto,
    "swap_component": change_wire.swap_component_from_proto,
    "pause": change_wire.pause_from_proto,
    "resume": change_wire.resume_from_proto,
    "cancel": change_wire.cancel_from_proto,
}
_IGNORED = ("idempotency_key", "when", "effective_at", "expected_version", "preview_token")


def schedule_change_from_proto(request: pb.ScheduleChangeRequest) -> ScheduleChange:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if request.moment not in _MOMENTS:
            fields.add("moment", "must be AT, NEXT_BILLING, TRIAL_END or nothing")
        moment = _MOMENTS.get(request.moment, Moment.AT)
        due_at = (
            fields.read("due_at", instant, request.due_at) if request.HasField("due_at") else None
        )
        if (moment is Moment.AT) != (due_at is not None):
            fields.add("due_at", "must be set for CHANGE_MOMENT_AT, and for nothing else")
        subscription_id = fields.read("subscription_id", typed_id("sub"), request.subscription_id)
        reason = fields.read("reason", _READ_REASON, request.reason)
        chosen = request.WhichOneof("change")
        if chosen is None:
            fields.add("change", "must say what to do")
        command = fields.read(chosen or "change", _command, request, subscription_id, reason)
        return ScheduleChange(command=command, moment=moment, due_at=due_at)


def _command(
    request: pb.ScheduleChangeRequest, subscription_id: str, reason: str
) -> ChangeSubscription:
    """The change itself; its own key and times are ignored."""
    chosen = request.WhichOneof("change") or ""
    inner = type(getattr(request, chosen))()
    inner.CopyFrom(getattr(request, chosen))
    for name in _IGNORED:
        if name in inner.DESCRIPTOR.fields_by_name:
            inner.ClearField(name)
    inner.subscription_id = subscription_id
    inner.reason = reason or inner.reason
    found: ChangeSubscription = _READERS[chosen](inner)
    return found


def scheduled_change_id_from_proto(value: str) -> ScheduledChangeId:
    """A scheduled change's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return ScheduledChangeId(fields.read("scheduled_change_id", typed_id("sch"), value))


def scheduled_to_proto(scheduled: ScheduledChange) -> pb.ScheduledChange:
    """The scheduled change as the contract shows it."""
    return pb.ScheduledChange(
        id=scheduled.id,
        subscription_id=scheduled.subscription_id,
        status=_STATUSES[scheduled.status],
        due_at=timestamp_to_proto(scheduled.due_at),
        outcome=scheduled.outcome,
        created_at=timestamp_to_proto(scheduled.created_at),
        **_change_to_proto(scheduled),
    )


def _change_to_proto(scheduled: ScheduledChange) -> dict[str, Any]:
    """What will be done, as the field of the oneof."""
    requests = subscription_change_pb2
    common: dict[str, Any] = {
        "subscription_id": scheduled.subscription_id,
        "reason": scheduled.reason,
    }
    shown = common | {"proration": _SHOWN_PRORATIONS[scheduled.proration]}
    match scheduled.change:
        case PlanChange(plan=plan, price_id=price_id, quantities=quantities) as change:
            ref = plan_pb2.PlanRef(slug=plan.slug) if isinstance(plan, BySlug) else None
            return {
                "change_plan": requests.ChangePlanRequest(
                    plan=ref or plan_pb2.PlanRef(id=str(plan)),
                    price_id=price_id,
                    quantities=_quantities_to_proto(quantities),
                    allow_duplicate=change.allow_duplicate,
                    **shown,
                )
            }
        case TrialEnd(parent_plan_id=plan_id, ending=ending):
            ref = plan_pb2.PlanRef(id=plan_id)
            return {
                "change_plan": requests.ChangePlanRequest(plan=ref, **shown),
                **trial_ending_to_proto(ending),
            }
        case PriceOverride(price_id=price_id):
            return {"override_price": requests.OverridePriceRequest(price_id=price_id, **shown)}
        case QuantityChange(quantities=quantities):
            return {
                "change_quantity": requests.ChangeQuantityRequest(
                    quantities=_quantities_to_proto(quantities), **shown
                )
            }
        case ComponentSwap(component_id=going, component=coming, currency=currency):
            return {
                "swap_component": requests.SwapComponentRequest(
                    price_component_id=going,
                    component=component_to_proto(coming, currency or ""),
                    **shown,
                )
            }
        case Pause(resume_at=resume_at):
            until = timestamp_to_proto(resume_at) if resume_at else None
            return {"pause": requests.PauseSubscriptionRequest(resume_at=until, **shown)}
        case Resume():
            return {"resume": requests.ResumeSubscriptionRequest(**shown)}
        case Start(plan_version_id=plan_version_id, price_id=price_id, ending=begun):
            return {
                "start": pb.ScheduledStart(plan_version_id=plan_version_id, price_id=price_id),
                **(trial_ending_to_proto(begun) if begun else {}),
            }
        case Cancellation():
            return {"cancel": requests.CancelSubscriptionRequest(**shown)}
        case Reactivation():
            raise AssertionError("a reactivation is not scheduled")
        case _:
            assert_never(scheduled.change)


def _quantities_to_proto(quantities: Any) -> list[subscription_pb2.ComponentQuantity]:
    return [
        subscription_pb2.ComponentQuantity(
            price_component_id=component_id, quantity=format_decimal(quantity)
        )
        for component_id, quantity in quantities.items()
    ]
