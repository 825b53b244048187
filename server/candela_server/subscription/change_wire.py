"""Changes of subscriptions, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from candela.subscription.v1 import subscription_change_pb2 as pb
from candela.subscription.v1 import subscription_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.catalog.price import ComponentId, PriceId
from candela_server.catalog.price_wire import swapped_in_from_proto
from candela_server.catalog.wire import ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import decimal, instant, text, typed_id

from .change import (
    Cancellation,
    Change,
    ChangeSubscription,
    ComponentSwap,
    Pause,
    PlanChange,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
)
from .migration import MoveTiming
from .model import Proration, SubscriptionId
from .undo_cancellation import UndoCancellation
from .wire import MAX_SEATS

_READ_REASON = text(0, 500)
_READ_QUANTITY = decimal(least=Decimal(0), most=MAX_SEATS)
_TIMINGS: dict[int, MoveTiming | None] = {
    subscription_pb2.EFFECTIVE_TIME_UNSPECIFIED: None,
    subscription_pb2.EFFECTIVE_TIME_NOW: MoveTiming.NOW,
    subscription_pb2.EFFECTIVE_TIME_PERIOD_END: MoveTiming.PERIOD_END,
    subscription_pb2.EFFECTIVE_TIME_AT: MoveTiming.AT,
}
PRORATIONS: dict[int, Proration | None] = {
    subscription_pb2.PRORATION_BEHAVIOR_UNSPECIFIED: None,
    subscription_pb2.PRORATION_BEHAVIOR_NEXT_INVOICE: Proration.NEXT_INVOICE,
    subscription_pb2.PRORATION_BEHAVIOR_INVOICE_NOW: Proration.INVOICE_NOW,
    subscription_pb2.PRORATION_BEHAVIOR_NONE: Proration.NONE,
}


class ChangeRequest(Protocol):
    """What all requests that change a subscription have; some have more."""

    subscription_id: str
    reason: str

    def HasField(self, field_name: Any) -> bool:
        """Whether a field is set."""
        ...


def change_plan_from_proto(request: pb.ChangePlanRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        change = PlanChange(
            plan=fields.read("plan", ref_from_proto, "plan", request.plan),
            price_id=_price_id(fields, request.price_id) if request.HasField("price_id") else None,
            quantities=_quantities(fields, request.quantities),
            allow_duplicate=request.allow_duplicate,
        )
        return _command(fields, request, change)


def override_price_from_proto(request: pb.OverridePriceRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return _command(
            fields, request, PriceOverride(price_id=_price_id(fields, request.price_id))
        )


def change_quantity_from_proto(request: pb.ChangeQuantityRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if not request.quantities:
            fields.add("quantities", "must name at least one component")
        quantities = _quantities(fields, request.quantities)
        return _command(fields, request, QuantityChange(quantities=quantities))


def swap_component_from_proto(request: pb.SwapComponentRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        going = fields.read("price_component_id", typed_id("comp"), request.price_component_id)
        if not request.HasField("component"):
            fields.add("component", "must be set")
        component, currency = fields.read("component", swapped_in_from_proto, request.component)
        return _command(
            fields,
            request,
            ComponentSwap(component_id=ComponentId(going), component=component, currency=currency),
        )


def pause_from_proto(request: pb.PauseSubscriptionRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        until = _instant(fields, request, "resume_at")
        return _command(fields, request, Pause(resume_at=until))


def resume_from_proto(request: pb.ResumeSubscriptionRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return _command(fields, request, Resume())


def cancel_from_proto(request: pb.CancelSubscriptionRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return _command(fields, request, Cancellation())


def reactivate_from_proto(request: pb.ReactivateSubscriptionRequest) -> ChangeSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        price_id = _price_id(fields, request.price_id) if request.HasField("price_id") else None
        return _command(fields, request, Reactivation(price_id=price_id))


def undo_cancellation_from_proto(request: pb.UndoCancellationRequest) -> UndoCancellation:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return UndoCancellation(
            subscription_id=SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            ),
            expected_version=expected_version_of(request),
            reason=reason_of(fields, request),
            preview_token=request.preview_token,
        )


def expected_version_of(request: ChangeRequest) -> int | None:
    """The version that a change is based on; None for any."""
    version: int = getattr(request, "expected_version", 0)
    return version if request.HasField("expected_version") else None


def reason_of(fields: FieldViolations, request: ChangeRequest) -> str:
    """Why, for the history."""
    return fields.read("reason", _READ_REASON, request.reason)


def _command(fields: FieldViolations, request: Any, change: Change) -> ChangeSubscription:
    timing = _TIMINGS.get(getattr(request, "when", 0))
    if getattr(request, "when", 0) not in _TIMINGS:
        fields.add("when", "must be NOW, PERIOD_END, AT or nothing")
    proration = PRORATIONS.get(getattr(request, "proration", 0))
    if getattr(request, "proration", 0) not in PRORATIONS:
        fields.add("proration", "must be NEXT_INVOICE, INVOICE_NOW, NONE or nothing")
    effective_at = (
        _instant(fields, request, "effective_at") if hasattr(request, "effective_at") else None
    )
    if (timing is MoveTiming.AT) != (effective_at is not None):
        fields.add("effective_at", "must be set for EFFECTIVE_TIME_AT, and for nothing else")
    return ChangeSubscription(
        subscription_id=SubscriptionId(
            fields.read("subscription_id", typed_id("sub"), request.subscription_id)
        ),
        change=change,
        timing=timing,
        effective_at=effective_at,
        proration=proration,
        expected_version=expected_version_of(request),
        preview_token=getattr(request, "preview_token", ""),
        reason=reason_of(fields, request),
    )


def _instant(fields: FieldViolations, request: Any, name: str) -> datetime | None:
    value: Timestamp = getattr(request, name)
    return fields.read(name, instant, value) if request.HasField(name) else None


def _price_id(fields: FieldViolations, value: str) -> PriceId:
    return PriceId(fields.read("price_id", typed_id("price"), value))


def _quantities(
    fields: FieldViolations, given: Iterable[subscription_pb2.ComponentQuantity]
) -> Mapping[ComponentId, Decimal]:
    quantities: dict[ComponentId, Decimal] = {}
    for index, one in enumerate(given):
        inner = fields.nested(f"quantities[{index}]")
        component_id = inner.read("price_component_id", typed_id("comp"), one.price_component_id)
        quantities[ComponentId(component_id)] = inner.read("quantity", _READ_QUANTITY, one.quantity)
    return quantities
