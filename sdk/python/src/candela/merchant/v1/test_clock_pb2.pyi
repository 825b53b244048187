import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TestClockStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEST_CLOCK_STATUS_UNSPECIFIED: _ClassVar[TestClockStatus]
    TEST_CLOCK_STATUS_READY: _ClassVar[TestClockStatus]
    TEST_CLOCK_STATUS_ADVANCING: _ClassVar[TestClockStatus]
    TEST_CLOCK_STATUS_FAILED: _ClassVar[TestClockStatus]
TEST_CLOCK_STATUS_UNSPECIFIED: TestClockStatus
TEST_CLOCK_STATUS_READY: TestClockStatus
TEST_CLOCK_STATUS_ADVANCING: TestClockStatus
TEST_CLOCK_STATUS_FAILED: TestClockStatus

class TestClock(_message.Message):
    __slots__ = ("id", "name", "now_at", "status", "target_at", "created_at", "failure", "archived_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOW_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TARGET_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    now_at: _timestamp_pb2.Timestamp
    status: TestClockStatus
    target_at: _timestamp_pb2.Timestamp
    created_at: _timestamp_pb2.Timestamp
    failure: str
    archived_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., now_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status: _Optional[_Union[TestClockStatus, str]] = ..., target_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failure: _Optional[str] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
