import datetime

from candela.entitlement.v1 import entitlement_pb2 as _entitlement_pb2
from candela.entitlement.v1 import reservation_pb2 as _reservation_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReserveRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer_id", "external_customer_id", "user_id", "external_user_id", "feature", "quantity", "hold")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer_id: str
    external_customer_id: str
    user_id: str
    external_user_id: str
    feature: str
    quantity: str
    hold: _duration_pb2.Duration
    def __init__(self, idempotency_key: _Optional[str] = ..., customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., feature: _Optional[str] = ..., quantity: _Optional[str] = ..., hold: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("reservation", "usage")
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    reservation: _reservation_pb2.Reservation
    usage: _entitlement_pb2.Usage
    def __init__(self, reservation: _Optional[_Union[_reservation_pb2.Reservation, _Mapping]] = ..., usage: _Optional[_Union[_entitlement_pb2.Usage, _Mapping]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("idempotency_key", "reservation_id", "quantity", "overage_behavior", "properties_json")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_JSON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    reservation_id: str
    quantity: str
    overage_behavior: _reservation_pb2.OverageBehavior
    properties_json: bytes
    def __init__(self, idempotency_key: _Optional[str] = ..., reservation_id: _Optional[str] = ..., quantity: _Optional[str] = ..., overage_behavior: _Optional[_Union[_reservation_pb2.OverageBehavior, str]] = ..., properties_json: _Optional[bytes] = ...) -> None: ...

class CommitResponse(_message.Message):
    __slots__ = ("reservation", "usage")
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    reservation: _reservation_pb2.Reservation
    usage: _entitlement_pb2.Usage
    def __init__(self, reservation: _Optional[_Union[_reservation_pb2.Reservation, _Mapping]] = ..., usage: _Optional[_Union[_entitlement_pb2.Usage, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("idempotency_key", "reservation_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    reservation_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., reservation_id: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("reservation",)
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    reservation: _reservation_pb2.Reservation
    def __init__(self, reservation: _Optional[_Union[_reservation_pb2.Reservation, _Mapping]] = ...) -> None: ...

class ConsumeRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer_id", "external_customer_id", "user_id", "external_user_id", "feature", "quantity", "properties_json")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_JSON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer_id: str
    external_customer_id: str
    user_id: str
    external_user_id: str
    feature: str
    quantity: str
    properties_json: bytes
    def __init__(self, idempotency_key: _Optional[str] = ..., customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., feature: _Optional[str] = ..., quantity: _Optional[str] = ..., properties_json: _Optional[bytes] = ...) -> None: ...

class ConsumeResponse(_message.Message):
    __slots__ = ("consumed", "entitlement")
    CONSUMED_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    consumed: bool
    entitlement: _entitlement_pb2.Entitlement
    def __init__(self, consumed: _Optional[bool] = ..., entitlement: _Optional[_Union[_entitlement_pb2.Entitlement, _Mapping]] = ...) -> None: ...

class GetReservationRequest(_message.Message):
    __slots__ = ("reservation_id",)
    RESERVATION_ID_FIELD_NUMBER: _ClassVar[int]
    reservation_id: str
    def __init__(self, reservation_id: _Optional[str] = ...) -> None: ...

class GetReservationResponse(_message.Message):
    __slots__ = ("reservation",)
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    reservation: _reservation_pb2.Reservation
    def __init__(self, reservation: _Optional[_Union[_reservation_pb2.Reservation, _Mapping]] = ...) -> None: ...
