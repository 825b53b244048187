import datetime

from candela.type.v1 import interval_pb2 as _interval_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubscriptionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBSCRIPTION_STATUS_UNSPECIFIED: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_INCOMPLETE: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_TRIALING: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_ACTIVE: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_PAST_DUE: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_PAUSED: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_CANCELED: _ClassVar[SubscriptionStatus]
    SUBSCRIPTION_STATUS_EXPIRED: _ClassVar[SubscriptionStatus]

class CollectionMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLECTION_METHOD_UNSPECIFIED: _ClassVar[CollectionMethod]
    COLLECTION_METHOD_SEND_INVOICE: _ClassVar[CollectionMethod]
    COLLECTION_METHOD_CHARGE_AUTOMATICALLY: _ClassVar[CollectionMethod]

class EffectiveTime(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECTIVE_TIME_UNSPECIFIED: _ClassVar[EffectiveTime]
    EFFECTIVE_TIME_NOW: _ClassVar[EffectiveTime]
    EFFECTIVE_TIME_PERIOD_END: _ClassVar[EffectiveTime]
    EFFECTIVE_TIME_AT: _ClassVar[EffectiveTime]

class ProrationBehavior(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRORATION_BEHAVIOR_UNSPECIFIED: _ClassVar[ProrationBehavior]
    PRORATION_BEHAVIOR_NEXT_INVOICE: _ClassVar[ProrationBehavior]
    PRORATION_BEHAVIOR_INVOICE_NOW: _ClassVar[ProrationBehavior]
    PRORATION_BEHAVIOR_NONE: _ClassVar[ProrationBehavior]
SUBSCRIPTION_STATUS_UNSPECIFIED: SubscriptionStatus
SUBSCRIPTION_STATUS_INCOMPLETE: SubscriptionStatus
SUBSCRIPTION_STATUS_TRIALING: SubscriptionStatus
SUBSCRIPTION_STATUS_ACTIVE: SubscriptionStatus
SUBSCRIPTION_STATUS_PAST_DUE: SubscriptionStatus
SUBSCRIPTION_STATUS_PAUSED: SubscriptionStatus
SUBSCRIPTION_STATUS_CANCELED: SubscriptionStatus
SUBSCRIPTION_STATUS_EXPIRED: SubscriptionStatus
COLLECTION_METHOD_UNSPECIFIED: CollectionMethod
COLLECTION_METHOD_SEND_INVOICE: CollectionMethod
COLLECTION_METHOD_CHARGE_AUTOMATICALLY: CollectionMethod
EFFECTIVE_TIME_UNSPECIFIED: EffectiveTime
EFFECTIVE_TIME_NOW: EffectiveTime
EFFECTIVE_TIME_PERIOD_END: EffectiveTime
EFFECTIVE_TIME_AT: EffectiveTime
PRORATION_BEHAVIOR_UNSPECIFIED: ProrationBehavior
PRORATION_BEHAVIOR_NEXT_INVOICE: ProrationBehavior
PRORATION_BEHAVIOR_INVOICE_NOW: ProrationBehavior
PRORATION_BEHAVIOR_NONE: ProrationBehavior

class Subscription(_message.Message):
    __slots__ = ("id", "customer_id", "version", "status", "plan_id", "plan_version_id", "price_id", "quantities", "currency", "anchor_at", "time_zone", "collection_method", "current_period", "valid_from_at", "valid_to_at", "reason", "actor", "cancel_at", "metadata", "created_at")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_AT_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_METHOD_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PERIOD_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_AT_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CANCEL_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    customer_id: str
    version: int
    status: SubscriptionStatus
    plan_id: str
    plan_version_id: str
    price_id: str
    quantities: _containers.RepeatedCompositeFieldContainer[ComponentQuantity]
    currency: str
    anchor_at: _timestamp_pb2.Timestamp
    time_zone: str
    collection_method: CollectionMethod
    current_period: _interval_pb2.Interval
    valid_from_at: _timestamp_pb2.Timestamp
    valid_to_at: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    cancel_at: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., customer_id: _Optional[str] = ..., version: _Optional[int] = ..., status: _Optional[_Union[SubscriptionStatus, str]] = ..., plan_id: _Optional[str] = ..., plan_version_id: _Optional[str] = ..., price_id: _Optional[str] = ..., quantities: _Optional[_Iterable[_Union[ComponentQuantity, _Mapping]]] = ..., currency: _Optional[str] = ..., anchor_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_zone: _Optional[str] = ..., collection_method: _Optional[_Union[CollectionMethod, str]] = ..., current_period: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., valid_from_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., cancel_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ComponentQuantity(_message.Message):
    __slots__ = ("price_component_id", "quantity")
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price_component_id: str
    quantity: str
    def __init__(self, price_component_id: _Optional[str] = ..., quantity: _Optional[str] = ...) -> None: ...
