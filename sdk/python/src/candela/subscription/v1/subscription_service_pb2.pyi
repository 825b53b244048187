import datetime

from candela.catalog.v1 import plan_pb2 as _plan_pb2
from candela.customer.v1 import customer_pb2 as _customer_pb2
from candela.subscription.v1 import feature_override_pb2 as _feature_override_pb2
from candela.subscription.v1 import scheduled_change_pb2 as _scheduled_change_pb2
from candela.subscription.v1 import subscription_pb2 as _subscription_pb2
from candela.subscription.v1 import subscription_change_pb2 as _subscription_change_pb2
from candela.subscription.v1 import subscription_diff_pb2 as _subscription_diff_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateSubscriptionRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "plan", "price_id", "currency", "seats", "quantities", "start_at", "time_zone", "collection_method", "allow_duplicate", "metadata", "reason", "trial_end_behavior", "trial_end_plan", "preview_token")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_METHOD_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_PLAN_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    plan: _plan_pb2.PlanRef
    price_id: str
    currency: str
    seats: str
    quantities: _containers.RepeatedCompositeFieldContainer[_subscription_pb2.ComponentQuantity]
    start_at: _timestamp_pb2.Timestamp
    time_zone: str
    collection_method: _subscription_pb2.CollectionMethod
    allow_duplicate: bool
    metadata: _containers.ScalarMap[str, str]
    reason: str
    trial_end_behavior: _plan_pb2.TrialEndBehavior
    trial_end_plan: _plan_pb2.PlanRef
    preview_token: str
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., price_id: _Optional[str] = ..., currency: _Optional[str] = ..., seats: _Optional[str] = ..., quantities: _Optional[_Iterable[_Union[_subscription_pb2.ComponentQuantity, _Mapping]]] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_zone: _Optional[str] = ..., collection_method: _Optional[_Union[_subscription_pb2.CollectionMethod, str]] = ..., allow_duplicate: _Optional[bool] = ..., metadata: _Optional[_Mapping[str, str]] = ..., reason: _Optional[str] = ..., trial_end_behavior: _Optional[_Union[_plan_pb2.TrialEndBehavior, str]] = ..., trial_end_plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., preview_token: _Optional[str] = ...) -> None: ...

class CreateSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class GetSubscriptionRequest(_message.Message):
    __slots__ = ("subscription_id", "as_of_at")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_AT_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    as_of_at: _timestamp_pb2.Timestamp
    def __init__(self, subscription_id: _Optional[str] = ..., as_of_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _subscription_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_subscription_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ListSubscriptionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "customer", "statuses")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    customer: _customer_pb2.CustomerRef
    statuses: _containers.RepeatedScalarFieldContainer[_subscription_pb2.SubscriptionStatus]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., statuses: _Optional[_Iterable[_Union[_subscription_pb2.SubscriptionStatus, str]]] = ...) -> None: ...

class ListSubscriptionsResponse(_message.Message):
    __slots__ = ("subscriptions", "next_page_token")
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subscriptions: _containers.RepeatedCompositeFieldContainer[_subscription_pb2.Subscription]
    next_page_token: str
    def __init__(self, subscriptions: _Optional[_Iterable[_Union[_subscription_pb2.Subscription, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSubscriptionVersionsRequest(_message.Message):
    __slots__ = ("subscription_id", "page_size", "page_token")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    page_size: int
    page_token: str
    def __init__(self, subscription_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSubscriptionVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_subscription_pb2.Subscription]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[_subscription_pb2.Subscription, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
