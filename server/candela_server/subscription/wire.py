"""Subscriptions, between the contract and the model; nothing here decides."""

from __future__ import annotations

from decimal import Decimal

from candela.subscription.v1 import subscription_pb2, subscription_service_pb2

from candela_server.catalog.members import member_named
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.catalog.trial_wire import trial_ending_from_proto
from candela_server.catalog.wire import ref_from_proto
from candela_server.contract.values import (
    interval_to_proto,
    optional_timestamp_to_proto,
    states_from_proto,
    timestamp_to_proto,
)
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import (
    currency_code,
    decimal,
    instant,
    metadata,
    optional,
    text,
    time_zone,
    typed_id,
)

from .create_subscription import CreateSubscription
from .model import CollectionMethod, Status, Subscription, SubscriptionId

MAX_SEATS = Decimal(1_000_000)

_STATUSES = {
    Status.INCOMPLETE: subscription_pb2.SUBSCRIPTION_STATUS_INCOMPLETE,
    Status.TRIALING: subscription_pb2.SUBSCRIPTION_STATUS_TRIALING,
    Status.ACTIVE: subscription_pb2.SUBSCRIPTION_STATUS_ACTIVE,
    Status.PAST_DUE: subscription_pb2.SUBSCRIPTION_STATUS_PAST_DUE,
    Status.PAUSED: subscription_pb2.SUBSCRIPTION_STATUS_PAUSED,
    Status.CANCELED: subscription_pb2.SUBSCRIPTION_STATUS_CANCELED,
    Status.EXPIRED: subscription_pb2.SUBSCRIPTION_STATUS_EXPIRED,
}
_METHODS = {
    CollectionMethod.SEND_INVOICE: subscription_pb2.COLLECTION_METHOD_SEND_INVOICE,
    CollectionMethod.CHARGE_AUTOMATICALLY: subscription_pb2.COLLECTION_METHOD_CHARGE_AUTOMATICALLY,
}
_READ_QUANTITY = decimal(least=Decimal(0), most=MAX_SEATS)
_READ_SEATS = decimal(least=Decimal(1), most=MAX_SEATS, max_places=0)


def create_subscription_from_proto(
    request: subscription_service_pb2.CreateSubscriptionRequest,
) -> CreateSubscription:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        quantities: dict[ComponentId, Decimal] = {}
        for index, one in enumerate(request.quantities):
            inner = fields.nested(f"quantities[{index}]")
            component_id = inner.read(
                "price_component_id", typed_id("comp"), one.price_component_id
            )
            quantities[ComponentId(component_id)] = inner.read(
                "quantity", _READ_QUANTITY, one.quantity
            )
        price_id = fields.read("price_id", optional(typed_id("price")), request.price_id)
        return CreateSubscription(
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            plan=fields.read("plan", ref_from_proto, "plan", request.plan),
            price_id=PriceId(price_id) if price_id else None,
            currency=fields.read("currency", optional(currency_code), request.currency),
            seats=fields.read("seats", _READ_SEATS, request.seats)
            if request.HasField("seats")
            else None,
            quantities=quantities,
            start_at=fields.read("start_at", instant, request.start_at)
            if request.HasField("start_at")
            else None,
            time_zone=fields.read("time_zone", optional(time_zone), request.time_zone),
            collection_method=fields.read(
                "collection_method",
                member_named,
                _METHODS,
                request.collection_method or subscription_pb2.COLLECTION_METHOD_SEND_INVOICE,
            ),
            allow_duplicate=request.allow_duplicate,
            metadata=fields.read("metadata", metadata, request.metadata),
            reason=fields.read("reason", text(0, 500), request.reason),
            trial_ending=trial_ending_from_proto(fields, request),
            preview_token=request.preview_token,
        )


def subscription_id_from_proto(value: str) -> SubscriptionId:
    """A subscription's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return SubscriptionId(fields.read("subscription_id", typed_id("sub"), value))


def statuses_from_proto(values: list[int]) -> list[Status]:
    """The states that a list asks for. Raises InvalidInput."""
    return states_from_proto(values, _STATUSES)


def subscription_to_proto(
    subscription: Subscription, current_period: Interval | None
) -> subscription_pb2.Subscription:
    """The subscription as the contract shows it."""
    version = subscription.version
    return subscription_pb2.Subscription(
        id=subscription.id,
        customer_id=subscription.customer_id,
        version=version.number,
        status=_STATUSES[version.status],
        plan_id=version.plan_id,
        plan_version_id=version.plan_version_id,
        price_id=version.price_id,
        quantities=[
            subscription_pb2.ComponentQuantity(
                price_component_id=component_id, quantity=format_decimal(quantity)
            )
            for component_id, quantity in version.quantities.items()
        ],
        currency=subscription.currency,
        anchor_at=timestamp_to_proto(subscription.anchor_at),
        time_zone=subscription.time_zone,
        collection_method=_METHODS[subscription.collection_method],
        current_period=interval_to_proto(current_period) if current_period else None,
        valid_from_at=timestamp_to_proto(version.valid_from),
        valid_to_at=optional_timestamp_to_proto(version.valid_to),
        reason=version.reason,
        actor=version.actor,
        cancel_at=optional_timestamp_to_proto(version.cancel_at),
        metadata=subscription.metadata,
        created_at=timestamp_to_proto(subscription.created_at),
    )
