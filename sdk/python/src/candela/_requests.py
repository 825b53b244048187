"""The requests behind the everyday calls; shared by the blocking and the async client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from candela.entitlement.v1 import entitlement_service_pb2
from candela.metering.v1 import event_pb2

from ._events import new_event_key

Property: TypeAlias = str | int | float | bool | Decimal
"""What an event may say of itself. A Decimal keeps its digits."""


def check_request(
    feature: str,
    user_id: str | None,
    customer_id: str | None,
    external_customer_id: str | None,
    quantity: Decimal | int | None,
) -> entitlement_service_pb2.CheckRequest:
    """The question about one feature. Raises ValueError unless exactly one id is given."""
    _exactly_one(user_id, customer_id, external_customer_id)
    return entitlement_service_pb2.CheckRequest(
        feature=feature,
        external_user_id=user_id,
        customer_id=customer_id,
        external_customer_id=external_customer_id,
        quantity=None if quantity is None else plain(quantity),
    )


def usage_request(
    user_id: str | None, customer_id: str | None, external_customer_id: str | None
) -> entitlement_service_pb2.GetFeatureUsageRequest:
    """The question about usage. Raises ValueError unless exactly one id is given."""
    _exactly_one(user_id, customer_id, external_customer_id)
    return entitlement_service_pb2.GetFeatureUsageRequest(
        external_user_id=user_id,
        customer_id=customer_id,
        external_customer_id=external_customer_id,
    )


def usage_event(
    name: str,
    *,
    value: Decimal | int | str = 1,
    user_id: str | None = None,
    customer_id: str | None = None,
    external_customer_id: str | None = None,
    timestamp: datetime | None = None,
    properties: Mapping[str, Property] | None = None,
    idempotency_key: str | None = None,
) -> event_pb2.Event:
    """One event, with a key of its own when none is given.

    Raises ValueError when nobody is named, and for a timestamp without a time zone, whose instant nobody can tell.
    """
    if timestamp is not None and timestamp.utcoffset() is None:
        raise ValueError("give the timestamp a time zone, for example datetime.now(UTC)")
    if user_id is None and customer_id is None and external_customer_id is None:
        raise ValueError("name a user_id, a customer_id or an external_customer_id")
    event = event_pb2.Event(
        idempotency_key=idempotency_key or new_event_key(),
        name=name,
        customer_id=customer_id,
        external_customer_id=external_customer_id,
        external_user_id=user_id,
        value=plain(value),
        properties_json=_object(properties).encode() if properties else b"",
    )
    if timestamp is not None:
        event.timestamp.FromDatetime(timestamp)
    return event


def plain(value: Decimal | int | str) -> str:
    """A number as the contract writes it: digits and a point, no exponent. Binary floats are refused."""
    if isinstance(value, float | bool):
        raise TypeError("give an int, a Decimal or a text: a float is not exact")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _object(properties: Mapping[str, Property]) -> str:
    members = (
        f"{json.dumps(name)}:{format(value, 'f') if isinstance(value, Decimal) else json.dumps(value)}"
        for name, value in properties.items()
    )
    return "{" + ",".join(members) + "}"


def _exactly_one(*ids: str | None) -> None:
    if sum(1 for one in ids if one is not None) != 1:
        raise ValueError("give exactly one of user_id, customer_id and external_customer_id")
