import datetime

from candela.catalog.v1 import plan_pb2 as _plan_pb2
from candela.catalog.v1 import price_pb2 as _price_pb2
from candela.type.v1 import interval_pb2 as _interval_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePriceRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan", "price")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan: _plan_pb2.PlanRef
    price: _plan_pb2.NewPrice
    def __init__(self, idempotency_key: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., price: _Optional[_Union[_plan_pb2.NewPrice, _Mapping]] = ...) -> None: ...

class CreatePriceResponse(_message.Message):
    __slots__ = ("price", "warnings")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    price: _price_pb2.Price
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPriceRequest(_message.Message):
    __slots__ = ("price_id",)
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    price_id: str
    def __init__(self, price_id: _Optional[str] = ...) -> None: ...

class GetPriceResponse(_message.Message):
    __slots__ = ("price",)
    PRICE_FIELD_NUMBER: _ClassVar[int]
    price: _price_pb2.Price
    def __init__(self, price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ...) -> None: ...

class ListPricesRequest(_message.Message):
    __slots__ = ("plan", "page_size", "page_token", "include_archived")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.PlanRef
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListPricesResponse(_message.Message):
    __slots__ = ("prices", "next_page_token")
    PRICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    prices: _containers.RepeatedCompositeFieldContainer[_price_pb2.Price]
    next_page_token: str
    def __init__(self, prices: _Optional[_Iterable[_Union[_price_pb2.Price, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ArchivePriceRequest(_message.Message):
    __slots__ = ("idempotency_key", "price_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    price_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., price_id: _Optional[str] = ...) -> None: ...

class ArchivePriceResponse(_message.Message):
    __slots__ = ("price",)
    PRICE_FIELD_NUMBER: _ClassVar[int]
    price: _price_pb2.Price
    def __init__(self, price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ...) -> None: ...

class PreviewRecurrenceRequest(_message.Message):
    __slots__ = ("recurrence_rule", "time_zone", "anchor_at", "period_count")
    RECURRENCE_RULE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_AT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_COUNT_FIELD_NUMBER: _ClassVar[int]
    recurrence_rule: str
    time_zone: str
    anchor_at: _timestamp_pb2.Timestamp
    period_count: int
    def __init__(self, recurrence_rule: _Optional[str] = ..., time_zone: _Optional[str] = ..., anchor_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., period_count: _Optional[int] = ...) -> None: ...

class PreviewRecurrenceResponse(_message.Message):
    __slots__ = ("periods",)
    PERIODS_FIELD_NUMBER: _ClassVar[int]
    periods: _containers.RepeatedCompositeFieldContainer[_interval_pb2.Interval]
    def __init__(self, periods: _Optional[_Iterable[_Union[_interval_pb2.Interval, _Mapping]]] = ...) -> None: ...
