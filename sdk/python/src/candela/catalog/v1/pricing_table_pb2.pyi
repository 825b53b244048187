import datetime

from candela.catalog.v1 import feature_pb2 as _feature_pb2
from candela.catalog.v1 import price_pb2 as _price_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PricingTable(_message.Message):
    __slots__ = ("id", "slug", "name", "rows", "created_at", "archived_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    name: str
    rows: _containers.RepeatedCompositeFieldContainer[PricingTableRow]
    created_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[PricingTableRow, _Mapping]]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PricingTableRow(_message.Message):
    __slots__ = ("plan_id", "popular", "enterprise_redirect_url")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    POPULAR_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    popular: bool
    enterprise_redirect_url: str
    def __init__(self, plan_id: _Optional[str] = ..., popular: _Optional[bool] = ..., enterprise_redirect_url: _Optional[str] = ...) -> None: ...

class PublicPricingTable(_message.Message):
    __slots__ = ("slug", "plans")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    PLANS_FIELD_NUMBER: _ClassVar[int]
    slug: str
    plans: _containers.RepeatedCompositeFieldContainer[PublicPlan]
    def __init__(self, slug: _Optional[str] = ..., plans: _Optional[_Iterable[_Union[PublicPlan, _Mapping]]] = ...) -> None: ...

class PublicPlan(_message.Message):
    __slots__ = ("plan_id", "slug", "name", "description", "popular", "is_enterprise_plan", "enterprise_redirect_url", "free", "prices", "features", "trial_days")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    POPULAR_FIELD_NUMBER: _ClassVar[int]
    IS_ENTERPRISE_PLAN_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TRIAL_DAYS_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    slug: str
    name: str
    description: str
    popular: bool
    is_enterprise_plan: bool
    enterprise_redirect_url: str
    free: bool
    prices: _containers.RepeatedCompositeFieldContainer[PublicPrice]
    features: _containers.RepeatedCompositeFieldContainer[PublicFeature]
    trial_days: int
    def __init__(self, plan_id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., popular: _Optional[bool] = ..., is_enterprise_plan: _Optional[bool] = ..., enterprise_redirect_url: _Optional[str] = ..., free: _Optional[bool] = ..., prices: _Optional[_Iterable[_Union[PublicPrice, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[PublicFeature, _Mapping]]] = ..., trial_days: _Optional[int] = ...) -> None: ...

class PublicPrice(_message.Message):
    __slots__ = ("price_id", "currency", "display_amounts")
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    price_id: str
    currency: str
    display_amounts: _containers.RepeatedCompositeFieldContainer[_price_pb2.DisplayAmount]
    def __init__(self, price_id: _Optional[str] = ..., currency: _Optional[str] = ..., display_amounts: _Optional[_Iterable[_Union[_price_pb2.DisplayAmount, _Mapping]]] = ...) -> None: ...

class PublicFeature(_message.Message):
    __slots__ = ("slug", "name", "value", "credit_allowance", "per_seat")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ALLOWANCE_FIELD_NUMBER: _ClassVar[int]
    PER_SEAT_FIELD_NUMBER: _ClassVar[int]
    slug: str
    name: str
    value: _feature_pb2.FeatureValue
    credit_allowance: str
    per_seat: bool
    def __init__(self, slug: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., credit_allowance: _Optional[str] = ..., per_seat: _Optional[bool] = ...) -> None: ...
