import datetime

from candela.catalog.v1 import plan_pb2 as _plan_pb2
from candela.catalog.v1 import price_pb2 as _price_pb2
from candela.subscription.v1 import subscription_pb2 as _subscription_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangePlanRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "plan", "price_id", "quantities", "when", "effective_at", "proration", "preview_token", "expected_version", "reason", "allow_duplicate")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    plan: _plan_pb2.PlanRef
    price_id: str
    quantities: _containers.RepeatedCompositeFieldContainer[_subscription_pb2.ComponentQuantity]
    when: _subscription_pb2.EffectiveTime
    effective_at: _timestamp_pb2.Timestamp
    proration: _subscription_pb2.ProrationBehavior
    preview_token: str
    expected_version: int
    reason: str
    allow_duplicate: bool
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., price_id: _Optional[str] = ..., quantities: _Optional[_Iterable[_Union[_subscription_pb2.ComponentQuantity, _Mapping]]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., preview_token: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ..., allow_duplicate: _Optional[bool] = ...) -> None: ...

class ChangePlanResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class OverridePriceRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "price_id", "proration", "preview_token", "expected_version", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    price_id: str
    proration: _subscription_pb2.ProrationBehavior
    preview_token: str
    expected_version: int
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., price_id: _Optional[str] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., preview_token: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class OverridePriceResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ChangeQuantityRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "quantities", "when", "effective_at", "proration", "preview_token", "expected_version", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    quantities: _containers.RepeatedCompositeFieldContainer[_subscription_pb2.ComponentQuantity]
    when: _subscription_pb2.EffectiveTime
    effective_at: _timestamp_pb2.Timestamp
    proration: _subscription_pb2.ProrationBehavior
    preview_token: str
    expected_version: int
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., quantities: _Optional[_Iterable[_Union[_subscription_pb2.ComponentQuantity, _Mapping]]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., preview_token: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ChangeQuantityResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class SwapComponentRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "price_component_id", "component", "when", "effective_at", "proration", "preview_token", "expected_version", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    price_component_id: str
    component: _price_pb2.PriceComponent
    when: _subscription_pb2.EffectiveTime
    effective_at: _timestamp_pb2.Timestamp
    proration: _subscription_pb2.ProrationBehavior
    preview_token: str
    expected_version: int
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., component: _Optional[_Union[_price_pb2.PriceComponent, _Mapping]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., preview_token: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SwapComponentResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class PauseSubscriptionRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "when", "effective_at", "resume_at", "proration", "expected_version", "reason", "preview_token")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    RESUME_AT_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    when: _subscription_pb2.EffectiveTime
    effective_at: _timestamp_pb2.Timestamp
    resume_at: _timestamp_pb2.Timestamp
    proration: _subscription_pb2.ProrationBehavior
    expected_version: int
    reason: str
    preview_token: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resume_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ..., preview_token: _Optional[str] = ...) -> None: ...

class PauseSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ResumeSubscriptionRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "proration", "expected_version", "reason", "preview_token")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    proration: _subscription_pb2.ProrationBehavior
    expected_version: int
    reason: str
    preview_token: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ..., preview_token: _Optional[str] = ...) -> None: ...

class ResumeSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class CancelSubscriptionRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "when", "effective_at", "proration", "preview_token", "expected_version", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    when: _subscription_pb2.EffectiveTime
    effective_at: _timestamp_pb2.Timestamp
    proration: _subscription_pb2.ProrationBehavior
    preview_token: str
    expected_version: int
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., preview_token: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class UndoCancellationRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "expected_version", "reason", "preview_token")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    expected_version: int
    reason: str
    preview_token: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ..., preview_token: _Optional[str] = ...) -> None: ...

class UndoCancellationResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ReactivateSubscriptionRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "price_id", "expected_version", "reason", "preview_token")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    price_id: str
    expected_version: int
    reason: str
    preview_token: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., price_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ..., preview_token: _Optional[str] = ...) -> None: ...

class ReactivateSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...
