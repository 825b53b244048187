import datetime

from candela.catalog.v1 import feature_pb2 as _feature_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UsageScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_SCOPE_UNSPECIFIED: _ClassVar[UsageScope]
    USAGE_SCOPE_CUSTOMER: _ClassVar[UsageScope]
    USAGE_SCOPE_USER: _ClassVar[UsageScope]

class EntitlementSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTITLEMENT_SOURCE_UNSPECIFIED: _ClassVar[EntitlementSource]
    ENTITLEMENT_SOURCE_OVERRIDE: _ClassVar[EntitlementSource]
    ENTITLEMENT_SOURCE_PLAN: _ClassVar[EntitlementSource]
    ENTITLEMENT_SOURCE_CREDITS: _ClassVar[EntitlementSource]
    ENTITLEMENT_SOURCE_DEFAULT: _ClassVar[EntitlementSource]

class DenialReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DENIAL_REASON_UNSPECIFIED: _ClassVar[DenialReason]
    DENIAL_REASON_FEATURE_NOT_IN_PLAN: _ClassVar[DenialReason]
    DENIAL_REASON_FEATURE_OFF: _ClassVar[DenialReason]
    DENIAL_REASON_LIMIT_REACHED: _ClassVar[DenialReason]
    DENIAL_REASON_CREDITS_EXHAUSTED: _ClassVar[DenialReason]
    DENIAL_REASON_NO_ACTIVE_SUBSCRIPTION: _ClassVar[DenialReason]
    DENIAL_REASON_SUBSCRIPTION_PAST_DUE: _ClassVar[DenialReason]
    DENIAL_REASON_SUBSCRIPTION_PAUSED: _ClassVar[DenialReason]
    DENIAL_REASON_CUSTOMER_UNKNOWN: _ClassVar[DenialReason]
    DENIAL_REASON_FEATURE_DISABLED: _ClassVar[DenialReason]
    DENIAL_REASON_NO_SEAT: _ClassVar[DenialReason]

class UsageOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_ORIGIN_UNSPECIFIED: _ClassVar[UsageOrigin]
    USAGE_ORIGIN_COUNTERS: _ClassVar[UsageOrigin]
    USAGE_ORIGIN_ROLLUPS: _ClassVar[UsageOrigin]
USAGE_SCOPE_UNSPECIFIED: UsageScope
USAGE_SCOPE_CUSTOMER: UsageScope
USAGE_SCOPE_USER: UsageScope
ENTITLEMENT_SOURCE_UNSPECIFIED: EntitlementSource
ENTITLEMENT_SOURCE_OVERRIDE: EntitlementSource
ENTITLEMENT_SOURCE_PLAN: EntitlementSource
ENTITLEMENT_SOURCE_CREDITS: EntitlementSource
ENTITLEMENT_SOURCE_DEFAULT: EntitlementSource
DENIAL_REASON_UNSPECIFIED: DenialReason
DENIAL_REASON_FEATURE_NOT_IN_PLAN: DenialReason
DENIAL_REASON_FEATURE_OFF: DenialReason
DENIAL_REASON_LIMIT_REACHED: DenialReason
DENIAL_REASON_CREDITS_EXHAUSTED: DenialReason
DENIAL_REASON_NO_ACTIVE_SUBSCRIPTION: DenialReason
DENIAL_REASON_SUBSCRIPTION_PAST_DUE: DenialReason
DENIAL_REASON_SUBSCRIPTION_PAUSED: DenialReason
DENIAL_REASON_CUSTOMER_UNKNOWN: DenialReason
DENIAL_REASON_FEATURE_DISABLED: DenialReason
DENIAL_REASON_NO_SEAT: DenialReason
USAGE_ORIGIN_UNSPECIFIED: UsageOrigin
USAGE_ORIGIN_COUNTERS: UsageOrigin
USAGE_ORIGIN_ROLLUPS: UsageOrigin

class Entitlement(_message.Message):
    __slots__ = ("feature", "entitled", "denial_reason", "source", "value", "usage", "credit_info", "subscription_id", "valid_until")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    ENTITLED_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_INFO_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    feature: str
    entitled: bool
    denial_reason: DenialReason
    source: EntitlementSource
    value: _feature_pb2.FeatureValue
    usage: Usage
    credit_info: CreditInfo
    subscription_id: str
    valid_until: _timestamp_pb2.Timestamp
    def __init__(self, feature: _Optional[str] = ..., entitled: _Optional[bool] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., source: _Optional[_Union[EntitlementSource, str]] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., credit_info: _Optional[_Union[CreditInfo, _Mapping]] = ..., subscription_id: _Optional[str] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("used", "limit", "remaining", "resets_at", "limit_behavior", "overage", "reserved", "scope")
    USED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    used: str
    limit: str
    remaining: str
    resets_at: _timestamp_pb2.Timestamp
    limit_behavior: _feature_pb2.LimitBehavior
    overage: str
    reserved: str
    scope: UsageScope
    def __init__(self, used: _Optional[str] = ..., limit: _Optional[str] = ..., remaining: _Optional[str] = ..., resets_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit_behavior: _Optional[_Union[_feature_pb2.LimitBehavior, str]] = ..., overage: _Optional[str] = ..., reserved: _Optional[str] = ..., scope: _Optional[_Union[UsageScope, str]] = ...) -> None: ...

class CreditInfo(_message.Message):
    __slots__ = ("allowance", "remaining", "next_expiry_at")
    ALLOWANCE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    NEXT_EXPIRY_AT_FIELD_NUMBER: _ClassVar[int]
    allowance: str
    remaining: str
    next_expiry_at: _timestamp_pb2.Timestamp
    def __init__(self, allowance: _Optional[str] = ..., remaining: _Optional[str] = ..., next_expiry_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Freshness(_message.Message):
    __slots__ = ("revision", "stale", "usage_origin")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    USAGE_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    revision: int
    stale: bool
    usage_origin: UsageOrigin
    def __init__(self, revision: _Optional[int] = ..., stale: _Optional[bool] = ..., usage_origin: _Optional[_Union[UsageOrigin, str]] = ...) -> None: ...
