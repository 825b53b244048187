import datetime

from candela.type.v1 import interval_pb2 as _interval_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINE_KIND_UNSPECIFIED: _ClassVar[LineKind]
    LINE_KIND_RECURRING: _ClassVar[LineKind]
    LINE_KIND_USAGE: _ClassVar[LineKind]
    LINE_KIND_USAGE_CREDIT: _ClassVar[LineKind]
    LINE_KIND_PRORATION: _ClassVar[LineKind]
    LINE_KIND_TRUE_UP: _ClassVar[LineKind]
    LINE_KIND_DISCOUNT: _ClassVar[LineKind]
    LINE_KIND_MONETARY_CREDIT: _ClassVar[LineKind]
    LINE_KIND_ADJUSTMENT: _ClassVar[LineKind]
    LINE_KIND_TOP_UP: _ClassVar[LineKind]
    LINE_KIND_THRESHOLD: _ClassVar[LineKind]
LINE_KIND_UNSPECIFIED: LineKind
LINE_KIND_RECURRING: LineKind
LINE_KIND_USAGE: LineKind
LINE_KIND_USAGE_CREDIT: LineKind
LINE_KIND_PRORATION: LineKind
LINE_KIND_TRUE_UP: LineKind
LINE_KIND_DISCOUNT: LineKind
LINE_KIND_MONETARY_CREDIT: LineKind
LINE_KIND_ADJUSTMENT: LineKind
LINE_KIND_TOP_UP: LineKind
LINE_KIND_THRESHOLD: LineKind

class InvoiceLine(_message.Message):
    __slots__ = ("id", "kind", "description", "amount", "quantity", "unit_name", "unit_amount", "rated_amount", "used_during", "period", "price_component_id", "price_id", "plan_version_id", "metric_id", "source_line_id", "credit_applications", "usage_seen_at", "event_count", "parts", "discounts", "tax_amount", "calculation")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    RATED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    USED_DURING_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    USAGE_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    TAX_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CALCULATION_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: LineKind
    description: str
    amount: _money_pb2.Money
    quantity: str
    unit_name: str
    unit_amount: str
    rated_amount: str
    used_during: _interval_pb2.Interval
    period: _interval_pb2.Interval
    price_component_id: str
    price_id: str
    plan_version_id: str
    metric_id: str
    source_line_id: str
    credit_applications: _containers.RepeatedCompositeFieldContainer[CreditApplication]
    usage_seen_at: _timestamp_pb2.Timestamp
    event_count: str
    parts: _containers.RepeatedCompositeFieldContainer[RatedPart]
    discounts: _containers.RepeatedCompositeFieldContainer[LineDiscount]
    tax_amount: _money_pb2.Money
    calculation: LineCalculation
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[LineKind, str]] = ..., description: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., quantity: _Optional[str] = ..., unit_name: _Optional[str] = ..., unit_amount: _Optional[str] = ..., rated_amount: _Optional[str] = ..., used_during: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., period: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., price_component_id: _Optional[str] = ..., price_id: _Optional[str] = ..., plan_version_id: _Optional[str] = ..., metric_id: _Optional[str] = ..., source_line_id: _Optional[str] = ..., credit_applications: _Optional[_Iterable[_Union[CreditApplication, _Mapping]]] = ..., usage_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_count: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[RatedPart, _Mapping]]] = ..., discounts: _Optional[_Iterable[_Union[LineDiscount, _Mapping]]] = ..., tax_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., calculation: _Optional[_Union[LineCalculation, _Mapping]] = ...) -> None: ...

class LineCalculation(_message.Message):
    __slots__ = ("measured_quantity", "earlier_quantity", "covered_quantity", "free_units", "charged_quantity", "percent", "fee_per_event", "event_count", "package_size", "model_amount", "minimum", "maximum", "bound_amount", "days", "whole_days", "earlier_amount", "billed_amount", "left_amount")
    MEASURED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    EARLIER_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COVERED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    CHARGED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    FEE_PER_EVENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MODEL_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    BOUND_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_DAYS_FIELD_NUMBER: _ClassVar[int]
    EARLIER_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BILLED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    LEFT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    measured_quantity: str
    earlier_quantity: str
    covered_quantity: str
    free_units: str
    charged_quantity: str
    percent: str
    fee_per_event: str
    event_count: str
    package_size: str
    model_amount: str
    minimum: str
    maximum: str
    bound_amount: str
    days: int
    whole_days: int
    earlier_amount: str
    billed_amount: str
    left_amount: str
    def __init__(self, measured_quantity: _Optional[str] = ..., earlier_quantity: _Optional[str] = ..., covered_quantity: _Optional[str] = ..., free_units: _Optional[str] = ..., charged_quantity: _Optional[str] = ..., percent: _Optional[str] = ..., fee_per_event: _Optional[str] = ..., event_count: _Optional[str] = ..., package_size: _Optional[str] = ..., model_amount: _Optional[str] = ..., minimum: _Optional[str] = ..., maximum: _Optional[str] = ..., bound_amount: _Optional[str] = ..., days: _Optional[int] = ..., whole_days: _Optional[int] = ..., earlier_amount: _Optional[str] = ..., billed_amount: _Optional[str] = ..., left_amount: _Optional[str] = ...) -> None: ...

class RatedPart(_message.Message):
    __slots__ = ("quantity", "unit_amount", "flat_fee", "up_to", "amount")
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    FLAT_FEE_FIELD_NUMBER: _ClassVar[int]
    UP_TO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    quantity: str
    unit_amount: str
    flat_fee: str
    up_to: str
    amount: str
    def __init__(self, quantity: _Optional[str] = ..., unit_amount: _Optional[str] = ..., flat_fee: _Optional[str] = ..., up_to: _Optional[str] = ..., amount: _Optional[str] = ...) -> None: ...

class LineDiscount(_message.Message):
    __slots__ = ("name", "percent", "amount", "of_price")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    OF_PRICE_FIELD_NUMBER: _ClassVar[int]
    name: str
    percent: str
    amount: _money_pb2.Money
    of_price: bool
    def __init__(self, name: _Optional[str] = ..., percent: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., of_price: _Optional[bool] = ...) -> None: ...

class CreditApplication(_message.Message):
    __slots__ = ("grant_id", "quantity", "amount", "cost_basis")
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_FIELD_NUMBER: _ClassVar[int]
    grant_id: str
    quantity: str
    amount: _money_pb2.Money
    cost_basis: _money_pb2.Money
    def __init__(self, grant_id: _Optional[str] = ..., quantity: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cost_basis: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
