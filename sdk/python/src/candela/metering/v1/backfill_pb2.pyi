import datetime

from candela.type.v1 import interval_pb2 as _interval_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BackfillStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKFILL_STATUS_UNSPECIFIED: _ClassVar[BackfillStatus]
    BACKFILL_STATUS_OPEN: _ClassVar[BackfillStatus]
    BACKFILL_STATUS_APPLYING: _ClassVar[BackfillStatus]
    BACKFILL_STATUS_APPLIED: _ClassVar[BackfillStatus]
    BACKFILL_STATUS_REVERTING: _ClassVar[BackfillStatus]
    BACKFILL_STATUS_REVERTED: _ClassVar[BackfillStatus]
BACKFILL_STATUS_UNSPECIFIED: BackfillStatus
BACKFILL_STATUS_OPEN: BackfillStatus
BACKFILL_STATUS_APPLYING: BackfillStatus
BACKFILL_STATUS_APPLIED: BackfillStatus
BACKFILL_STATUS_REVERTING: BackfillStatus
BACKFILL_STATUS_REVERTED: BackfillStatus

class Backfill(_message.Message):
    __slots__ = ("id", "window", "customer_id", "replaces_existing", "status", "event_count", "created_at", "closed_at", "reverted_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    REPLACES_EXISTING_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    REVERTED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    window: _interval_pb2.Interval
    customer_id: str
    replaces_existing: bool
    status: BackfillStatus
    event_count: int
    created_at: _timestamp_pb2.Timestamp
    closed_at: _timestamp_pb2.Timestamp
    reverted_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., customer_id: _Optional[str] = ..., replaces_existing: _Optional[bool] = ..., status: _Optional[_Union[BackfillStatus, str]] = ..., event_count: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reverted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
