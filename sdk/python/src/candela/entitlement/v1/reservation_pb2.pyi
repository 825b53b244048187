import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReservationStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESERVATION_STATUS_UNSPECIFIED: _ClassVar[ReservationStatus]
    RESERVATION_STATUS_HELD: _ClassVar[ReservationStatus]
    RESERVATION_STATUS_COMMITTED: _ClassVar[ReservationStatus]
    RESERVATION_STATUS_RELEASED: _ClassVar[ReservationStatus]
    RESERVATION_STATUS_EXPIRED: _ClassVar[ReservationStatus]

class OverageBehavior(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERAGE_BEHAVIOR_UNSPECIFIED: _ClassVar[OverageBehavior]
    OVERAGE_BEHAVIOR_REJECT: _ClassVar[OverageBehavior]
    OVERAGE_BEHAVIOR_CAP: _ClassVar[OverageBehavior]
    OVERAGE_BEHAVIOR_ALLOW: _ClassVar[OverageBehavior]
RESERVATION_STATUS_UNSPECIFIED: ReservationStatus
RESERVATION_STATUS_HELD: ReservationStatus
RESERVATION_STATUS_COMMITTED: ReservationStatus
RESERVATION_STATUS_RELEASED: ReservationStatus
RESERVATION_STATUS_EXPIRED: ReservationStatus
OVERAGE_BEHAVIOR_UNSPECIFIED: OverageBehavior
OVERAGE_BEHAVIOR_REJECT: OverageBehavior
OVERAGE_BEHAVIOR_CAP: OverageBehavior
OVERAGE_BEHAVIOR_ALLOW: OverageBehavior

class Reservation(_message.Message):
    __slots__ = ("id", "customer_id", "user_id", "feature", "quantity", "status", "created_at", "expires_at", "settled_at", "committed_quantity")
    ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_AT_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    id: str
    customer_id: str
    user_id: str
    feature: str
    quantity: str
    status: ReservationStatus
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    settled_at: _timestamp_pb2.Timestamp
    committed_quantity: str
    def __init__(self, id: _Optional[str] = ..., customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., feature: _Optional[str] = ..., quantity: _Optional[str] = ..., status: _Optional[_Union[ReservationStatus, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., committed_quantity: _Optional[str] = ...) -> None: ...
