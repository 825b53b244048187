import datetime

from candela.catalog.v1 import feature_pb2 as _feature_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureOverride(_message.Message):
    __slots__ = ("subscription_id", "feature_id", "feature_slug", "value", "expires_at", "reason", "created_at")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SLUG_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    feature_id: str
    feature_slug: str
    value: _feature_pb2.FeatureValue
    expires_at: _timestamp_pb2.Timestamp
    reason: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, subscription_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., feature_slug: _Optional[str] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetFeatureOverrideRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "feature", "value", "expires_at", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    feature: _feature_pb2.FeatureRef
    value: _feature_pb2.FeatureValue
    expires_at: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class SetFeatureOverrideResponse(_message.Message):
    __slots__ = ("feature_override",)
    FEATURE_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    feature_override: FeatureOverride
    def __init__(self, feature_override: _Optional[_Union[FeatureOverride, _Mapping]] = ...) -> None: ...

class RemoveFeatureOverrideRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "feature", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    feature: _feature_pb2.FeatureRef
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class RemoveFeatureOverrideResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFeatureOverridesRequest(_message.Message):
    __slots__ = ("subscription_id",)
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    def __init__(self, subscription_id: _Optional[str] = ...) -> None: ...

class ListFeatureOverridesResponse(_message.Message):
    __slots__ = ("feature_overrides",)
    FEATURE_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    feature_overrides: _containers.RepeatedCompositeFieldContainer[FeatureOverride]
    def __init__(self, feature_overrides: _Optional[_Iterable[_Union[FeatureOverride, _Mapping]]] = ...) -> None: ...
