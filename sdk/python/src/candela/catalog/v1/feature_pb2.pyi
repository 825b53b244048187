import datetime

from candela.catalog.v1 import metric_pb2 as _metric_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_TYPE_UNSPECIFIED: _ClassVar[FeatureType]
    FEATURE_TYPE_BOOLEAN: _ClassVar[FeatureType]
    FEATURE_TYPE_NUMBER: _ClassVar[FeatureType]
    FEATURE_TYPE_STRING: _ClassVar[FeatureType]

class LimitBehavior(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_BEHAVIOR_UNSPECIFIED: _ClassVar[LimitBehavior]
    LIMIT_BEHAVIOR_HARD: _ClassVar[LimitBehavior]
    LIMIT_BEHAVIOR_SOFT: _ClassVar[LimitBehavior]
    LIMIT_BEHAVIOR_OVERAGE: _ClassVar[LimitBehavior]

class LimitScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_SCOPE_UNSPECIFIED: _ClassVar[LimitScope]
    LIMIT_SCOPE_CUSTOMER: _ClassVar[LimitScope]
    LIMIT_SCOPE_USER: _ClassVar[LimitScope]
FEATURE_TYPE_UNSPECIFIED: FeatureType
FEATURE_TYPE_BOOLEAN: FeatureType
FEATURE_TYPE_NUMBER: FeatureType
FEATURE_TYPE_STRING: FeatureType
LIMIT_BEHAVIOR_UNSPECIFIED: LimitBehavior
LIMIT_BEHAVIOR_HARD: LimitBehavior
LIMIT_BEHAVIOR_SOFT: LimitBehavior
LIMIT_BEHAVIOR_OVERAGE: LimitBehavior
LIMIT_SCOPE_UNSPECIFIED: LimitScope
LIMIT_SCOPE_CUSTOMER: LimitScope
LIMIT_SCOPE_USER: LimitScope

class Feature(_message.Message):
    __slots__ = ("id", "slug", "name", "type", "default_value", "metric_id", "description", "disabled_at", "archived_at", "created_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DISABLED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    name: str
    type: FeatureType
    default_value: FeatureValue
    metric_id: str
    description: str
    disabled_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., type: _Optional[_Union[FeatureType, str]] = ..., default_value: _Optional[_Union[FeatureValue, _Mapping]] = ..., metric_id: _Optional[str] = ..., description: _Optional[str] = ..., disabled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FeatureValue(_message.Message):
    __slots__ = ("boolean", "number", "text")
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    boolean: bool
    number: str
    text: str
    def __init__(self, boolean: _Optional[bool] = ..., number: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class FeatureRef(_message.Message):
    __slots__ = ("id", "slug")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ...) -> None: ...

class NewFeature(_message.Message):
    __slots__ = ("slug", "name", "type", "default_value", "metric", "description")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    slug: str
    name: str
    type: FeatureType
    default_value: FeatureValue
    metric: _metric_pb2.MetricRef
    description: str
    def __init__(self, slug: _Optional[str] = ..., name: _Optional[str] = ..., type: _Optional[_Union[FeatureType, str]] = ..., default_value: _Optional[_Union[FeatureValue, _Mapping]] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...
