import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BillingRunStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_RUN_STATUS_UNSPECIFIED: _ClassVar[BillingRunStatus]
    BILLING_RUN_STATUS_RUNNING: _ClassVar[BillingRunStatus]
    BILLING_RUN_STATUS_DONE: _ClassVar[BillingRunStatus]
    BILLING_RUN_STATUS_FAILED: _ClassVar[BillingRunStatus]
BILLING_RUN_STATUS_UNSPECIFIED: BillingRunStatus
BILLING_RUN_STATUS_RUNNING: BillingRunStatus
BILLING_RUN_STATUS_DONE: BillingRunStatus
BILLING_RUN_STATUS_FAILED: BillingRunStatus

class BillingRun(_message.Message):
    __slots__ = ("id", "until_at", "status", "subscription_count", "invoice_count", "parked_count", "created_at", "ended_at", "failure")
    ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARKED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    id: str
    until_at: _timestamp_pb2.Timestamp
    status: BillingRunStatus
    subscription_count: int
    invoice_count: int
    parked_count: int
    created_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    failure: str
    def __init__(self, id: _Optional[str] = ..., until_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status: _Optional[_Union[BillingRunStatus, str]] = ..., subscription_count: _Optional[int] = ..., invoice_count: _Optional[int] = ..., parked_count: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failure: _Optional[str] = ...) -> None: ...
