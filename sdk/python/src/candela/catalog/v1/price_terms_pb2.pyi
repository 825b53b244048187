import datetime

from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiscountDuration(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCOUNT_DURATION_UNSPECIFIED: _ClassVar[DiscountDuration]
    DISCOUNT_DURATION_ONCE: _ClassVar[DiscountDuration]
    DISCOUNT_DURATION_REPEATING: _ClassVar[DiscountDuration]
    DISCOUNT_DURATION_FOREVER: _ClassVar[DiscountDuration]
DISCOUNT_DURATION_UNSPECIFIED: DiscountDuration
DISCOUNT_DURATION_ONCE: DiscountDuration
DISCOUNT_DURATION_REPEATING: DiscountDuration
DISCOUNT_DURATION_FOREVER: DiscountDuration

class ChargeModel(_message.Message):
    __slots__ = ("flat", "graduated", "volume", "package", "percentage", "free_units", "minimum", "maximum")
    FLAT_FIELD_NUMBER: _ClassVar[int]
    GRADUATED_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENTAGE_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    flat: FlatCharge
    graduated: GraduatedCharge
    volume: VolumeCharge
    package: PackageCharge
    percentage: PercentageCharge
    free_units: str
    minimum: _money_pb2.Money
    maximum: _money_pb2.Money
    def __init__(self, flat: _Optional[_Union[FlatCharge, _Mapping]] = ..., graduated: _Optional[_Union[GraduatedCharge, _Mapping]] = ..., volume: _Optional[_Union[VolumeCharge, _Mapping]] = ..., package: _Optional[_Union[PackageCharge, _Mapping]] = ..., percentage: _Optional[_Union[PercentageCharge, _Mapping]] = ..., free_units: _Optional[str] = ..., minimum: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., maximum: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class FlatCharge(_message.Message):
    __slots__ = ("unit_price",)
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    unit_price: _money_pb2.Money
    def __init__(self, unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class GraduatedCharge(_message.Message):
    __slots__ = ("tiers",)
    TIERS_FIELD_NUMBER: _ClassVar[int]
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    def __init__(self, tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ...) -> None: ...

class VolumeCharge(_message.Message):
    __slots__ = ("tiers",)
    TIERS_FIELD_NUMBER: _ClassVar[int]
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    def __init__(self, tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("up_to", "unit_price", "flat_fee")
    UP_TO_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    FLAT_FEE_FIELD_NUMBER: _ClassVar[int]
    up_to: str
    unit_price: _money_pb2.Money
    flat_fee: _money_pb2.Money
    def __init__(self, up_to: _Optional[str] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., flat_fee: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class PackageCharge(_message.Message):
    __slots__ = ("package_size", "package_price")
    PACKAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    package_size: str
    package_price: _money_pb2.Money
    def __init__(self, package_size: _Optional[str] = ..., package_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class PercentageCharge(_message.Message):
    __slots__ = ("percent", "fee_per_event")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    FEE_PER_EVENT_FIELD_NUMBER: _ClassVar[int]
    percent: str
    fee_per_event: _money_pb2.Money
    def __init__(self, percent: _Optional[str] = ..., fee_per_event: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Discount(_message.Message):
    __slots__ = ("percent", "amount_off", "duration", "period_count", "name")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_OFF_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    PERIOD_COUNT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    percent: str
    amount_off: _money_pb2.Money
    duration: DiscountDuration
    period_count: int
    name: str
    def __init__(self, percent: _Optional[str] = ..., amount_off: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., duration: _Optional[_Union[DiscountDuration, str]] = ..., period_count: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class TimeRule(_message.Message):
    __slots__ = ("after_period_count", "at", "charge", "stop", "start")
    AFTER_PERIOD_COUNT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    after_period_count: int
    at: _timestamp_pb2.Timestamp
    charge: ChargeModel
    stop: bool
    start: bool
    def __init__(self, after_period_count: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., charge: _Optional[_Union[ChargeModel, _Mapping]] = ..., stop: _Optional[bool] = ..., start: _Optional[bool] = ...) -> None: ...

class MinimumCommitment(_message.Message):
    __slots__ = ("amount", "recurrence_rule")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_RULE_FIELD_NUMBER: _ClassVar[int]
    amount: _money_pb2.Money
    recurrence_rule: str
    def __init__(self, amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., recurrence_rule: _Optional[str] = ...) -> None: ...
