from candela.customer.v1 import user_pb2 as _user_pb2
from candela.subscription.v1 import seat_pb2 as _seat_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssignSeatRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "price_component_id", "user")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    price_component_id: str
    user: _user_pb2.UserRef
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., user: _Optional[_Union[_user_pb2.UserRef, _Mapping]] = ...) -> None: ...

class AssignSeatResponse(_message.Message):
    __slots__ = ("seat",)
    SEAT_FIELD_NUMBER: _ClassVar[int]
    seat: _seat_pb2.Seat
    def __init__(self, seat: _Optional[_Union[_seat_pb2.Seat, _Mapping]] = ...) -> None: ...

class ReleaseSeatRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "price_component_id", "user")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    price_component_id: str
    user: _user_pb2.UserRef
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., user: _Optional[_Union[_user_pb2.UserRef, _Mapping]] = ...) -> None: ...

class ReleaseSeatResponse(_message.Message):
    __slots__ = ("seat",)
    SEAT_FIELD_NUMBER: _ClassVar[int]
    seat: _seat_pb2.Seat
    def __init__(self, seat: _Optional[_Union[_seat_pb2.Seat, _Mapping]] = ...) -> None: ...

class ListSeatsRequest(_message.Message):
    __slots__ = ("subscription_id", "page_size", "page_token", "include_released")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RELEASED_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    page_size: int
    page_token: str
    include_released: bool
    def __init__(self, subscription_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_released: _Optional[bool] = ...) -> None: ...

class ListSeatsResponse(_message.Message):
    __slots__ = ("seats", "next_page_token")
    SEATS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    seats: _containers.RepeatedCompositeFieldContainer[_seat_pb2.Seat]
    next_page_token: str
    def __init__(self, seats: _Optional[_Iterable[_Union[_seat_pb2.Seat, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
