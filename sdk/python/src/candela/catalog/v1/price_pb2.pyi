import datetime

from candela.catalog.v1 import price_terms_pb2 as _price_terms_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComponentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPONENT_KIND_UNSPECIFIED: _ClassVar[ComponentKind]
    COMPONENT_KIND_FIXED: _ClassVar[ComponentKind]
    COMPONENT_KIND_PER_UNIT: _ClassVar[ComponentKind]
    COMPONENT_KIND_USAGE: _ClassVar[ComponentKind]

class BillingTiming(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_TIMING_UNSPECIFIED: _ClassVar[BillingTiming]
    BILLING_TIMING_IN_ADVANCE: _ClassVar[BillingTiming]
    BILLING_TIMING_IN_ARREARS: _ClassVar[BillingTiming]
COMPONENT_KIND_UNSPECIFIED: ComponentKind
COMPONENT_KIND_FIXED: ComponentKind
COMPONENT_KIND_PER_UNIT: ComponentKind
COMPONENT_KIND_USAGE: ComponentKind
BILLING_TIMING_UNSPECIFIED: BillingTiming
BILLING_TIMING_IN_ADVANCE: BillingTiming
BILLING_TIMING_IN_ARREARS: BillingTiming

class Price(_message.Message):
    __slots__ = ("id", "plan_id", "name", "currency", "components", "discounts", "minimum_commitment", "private_customer_id", "free", "display_amounts", "created_at", "archived_at", "billing_threshold")
    ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    BILLING_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    id: str
    plan_id: str
    name: str
    currency: str
    components: _containers.RepeatedCompositeFieldContainer[PriceComponent]
    discounts: _containers.RepeatedCompositeFieldContainer[_price_terms_pb2.Discount]
    minimum_commitment: _price_terms_pb2.MinimumCommitment
    private_customer_id: str
    free: bool
    display_amounts: _containers.RepeatedCompositeFieldContainer[DisplayAmount]
    created_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    billing_threshold: _money_pb2.Money
    def __init__(self, id: _Optional[str] = ..., plan_id: _Optional[str] = ..., name: _Optional[str] = ..., currency: _Optional[str] = ..., components: _Optional[_Iterable[_Union[PriceComponent, _Mapping]]] = ..., discounts: _Optional[_Iterable[_Union[_price_terms_pb2.Discount, _Mapping]]] = ..., minimum_commitment: _Optional[_Union[_price_terms_pb2.MinimumCommitment, _Mapping]] = ..., private_customer_id: _Optional[str] = ..., free: _Optional[bool] = ..., display_amounts: _Optional[_Iterable[_Union[DisplayAmount, _Mapping]]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., billing_threshold: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class PriceComponent(_message.Message):
    __slots__ = ("id", "name", "kind", "recurrence_rule", "time_zone", "timing", "metric", "charge", "seats", "discounts", "time_rules")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_RULE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    TIME_RULES_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    kind: ComponentKind
    recurrence_rule: str
    time_zone: str
    timing: BillingTiming
    metric: str
    charge: _price_terms_pb2.ChargeModel
    seats: SeatTerms
    discounts: _containers.RepeatedCompositeFieldContainer[_price_terms_pb2.Discount]
    time_rules: _containers.RepeatedCompositeFieldContainer[_price_terms_pb2.TimeRule]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[ComponentKind, str]] = ..., recurrence_rule: _Optional[str] = ..., time_zone: _Optional[str] = ..., timing: _Optional[_Union[BillingTiming, str]] = ..., metric: _Optional[str] = ..., charge: _Optional[_Union[_price_terms_pb2.ChargeModel, _Mapping]] = ..., seats: _Optional[_Union[SeatTerms, _Mapping]] = ..., discounts: _Optional[_Iterable[_Union[_price_terms_pb2.Discount, _Mapping]]] = ..., time_rules: _Optional[_Iterable[_Union[_price_terms_pb2.TimeRule, _Mapping]]] = ...) -> None: ...

class SeatTerms(_message.Message):
    __slots__ = ("minimum_seats", "included_seats", "bill_immediately")
    MINIMUM_SEATS_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_SEATS_FIELD_NUMBER: _ClassVar[int]
    BILL_IMMEDIATELY_FIELD_NUMBER: _ClassVar[int]
    minimum_seats: int
    included_seats: int
    bill_immediately: bool
    def __init__(self, minimum_seats: _Optional[int] = ..., included_seats: _Optional[int] = ..., bill_immediately: _Optional[bool] = ...) -> None: ...

class DisplayAmount(_message.Message):
    __slots__ = ("amount", "per")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    amount: _money_pb2.Money
    per: str
    def __init__(self, amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., per: _Optional[str] = ...) -> None: ...
