import datetime

from candela.type.v1 import interval_pb2 as _interval_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BucketSize(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUCKET_SIZE_UNSPECIFIED: _ClassVar[BucketSize]
    BUCKET_SIZE_HOUR: _ClassVar[BucketSize]
    BUCKET_SIZE_DAY: _ClassVar[BucketSize]
    BUCKET_SIZE_WEEK: _ClassVar[BucketSize]
    BUCKET_SIZE_MONTH: _ClassVar[BucketSize]

class FillStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_STATUS_UNSPECIFIED: _ClassVar[FillStatus]
    FILL_STATUS_COMPLETE: _ClassVar[FillStatus]
    FILL_STATUS_FILLING: _ClassVar[FillStatus]
    FILL_STATUS_FROM_CREATION: _ClassVar[FillStatus]
    FILL_STATUS_FAILED: _ClassVar[FillStatus]
BUCKET_SIZE_UNSPECIFIED: BucketSize
BUCKET_SIZE_HOUR: BucketSize
BUCKET_SIZE_DAY: BucketSize
BUCKET_SIZE_WEEK: BucketSize
BUCKET_SIZE_MONTH: BucketSize
FILL_STATUS_UNSPECIFIED: FillStatus
FILL_STATUS_COMPLETE: FillStatus
FILL_STATUS_FILLING: FillStatus
FILL_STATUS_FROM_CREATION: FillStatus
FILL_STATUS_FAILED: FillStatus

class MetricUsage(_message.Message):
    __slots__ = ("metric_id", "metric_slug", "value", "fill_status")
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_SLUG_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FILL_STATUS_FIELD_NUMBER: _ClassVar[int]
    metric_id: str
    metric_slug: str
    value: str
    fill_status: FillStatus
    def __init__(self, metric_id: _Optional[str] = ..., metric_slug: _Optional[str] = ..., value: _Optional[str] = ..., fill_status: _Optional[_Union[FillStatus, str]] = ...) -> None: ...

class UsageBucket(_message.Message):
    __slots__ = ("window", "group", "value", "overflow")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    window: _interval_pb2.Interval
    group: str
    value: str
    overflow: bool
    def __init__(self, window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., group: _Optional[str] = ..., value: _Optional[str] = ..., overflow: _Optional[bool] = ...) -> None: ...

class MetricFill(_message.Message):
    __slots__ = ("id", "metric_id", "window", "status", "read_count", "estimated_count", "started_at", "finished_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    READ_COUNT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    metric_id: str
    window: _interval_pb2.Interval
    status: FillStatus
    read_count: int
    estimated_count: int
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., metric_id: _Optional[str] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., status: _Optional[_Union[FillStatus, str]] = ..., read_count: _Optional[int] = ..., estimated_count: _Optional[int] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UnmatchedEventName(_message.Message):
    __slots__ = ("name", "event_count", "first_event_at", "last_event_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    event_count: int
    first_event_at: _timestamp_pb2.Timestamp
    last_event_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., event_count: _Optional[int] = ..., first_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
