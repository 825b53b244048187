import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreditScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_SCOPE_UNSPECIFIED: _ClassVar[CreditScope]
    CREDIT_SCOPE_COMPONENT: _ClassVar[CreditScope]
    CREDIT_SCOPE_PRICE: _ClassVar[CreditScope]
    CREDIT_SCOPE_PLAN: _ClassVar[CreditScope]
    CREDIT_SCOPE_MERCHANT: _ClassVar[CreditScope]

class CreditApplicationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_APPLICATION_TYPE_UNSPECIFIED: _ClassVar[CreditApplicationType]
    CREDIT_APPLICATION_TYPE_USAGE: _ClassVar[CreditApplicationType]
    CREDIT_APPLICATION_TYPE_MONETARY: _ClassVar[CreditApplicationType]

class CreditBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_BASIS_UNSPECIFIED: _ClassVar[CreditBasis]
    CREDIT_BASIS_CUSTOMER: _ClassVar[CreditBasis]
    CREDIT_BASIS_SEAT: _ClassVar[CreditBasis]
CREDIT_SCOPE_UNSPECIFIED: CreditScope
CREDIT_SCOPE_COMPONENT: CreditScope
CREDIT_SCOPE_PRICE: CreditScope
CREDIT_SCOPE_PLAN: CreditScope
CREDIT_SCOPE_MERCHANT: CreditScope
CREDIT_APPLICATION_TYPE_UNSPECIFIED: CreditApplicationType
CREDIT_APPLICATION_TYPE_USAGE: CreditApplicationType
CREDIT_APPLICATION_TYPE_MONETARY: CreditApplicationType
CREDIT_BASIS_UNSPECIFIED: CreditBasis
CREDIT_BASIS_CUSTOMER: CreditBasis
CREDIT_BASIS_SEAT: CreditBasis

class CreditDefinition(_message.Message):
    __slots__ = ("id", "name", "scope", "application_type", "plan_id", "price_id", "price_component_id", "feature_id", "metric_id", "default_amount", "refill_amount", "currency", "renew_on_billing", "renewal_rule", "billing_visible", "basis", "expires_after", "rollover_cap", "priority", "created_at", "archived_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFILL_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RENEW_ON_BILLING_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_RULE_FIELD_NUMBER: _ClassVar[int]
    BILLING_VISIBLE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AFTER_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_CAP_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    scope: CreditScope
    application_type: CreditApplicationType
    plan_id: str
    price_id: str
    price_component_id: str
    feature_id: str
    metric_id: str
    default_amount: str
    refill_amount: str
    currency: str
    renew_on_billing: bool
    renewal_rule: str
    billing_visible: bool
    basis: CreditBasis
    expires_after: _duration_pb2.Duration
    rollover_cap: str
    priority: int
    created_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., scope: _Optional[_Union[CreditScope, str]] = ..., application_type: _Optional[_Union[CreditApplicationType, str]] = ..., plan_id: _Optional[str] = ..., price_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., feature_id: _Optional[str] = ..., metric_id: _Optional[str] = ..., default_amount: _Optional[str] = ..., refill_amount: _Optional[str] = ..., currency: _Optional[str] = ..., renew_on_billing: _Optional[bool] = ..., renewal_rule: _Optional[str] = ..., billing_visible: _Optional[bool] = ..., basis: _Optional[_Union[CreditBasis, str]] = ..., expires_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rollover_cap: _Optional[str] = ..., priority: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class NewCreditDefinition(_message.Message):
    __slots__ = ("name", "scope", "application_type", "feature", "default_amount", "refill_amount", "currency", "renew_on_billing", "renewal_rule", "billing_visible", "basis", "expires_after", "rollover_cap", "priority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFILL_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RENEW_ON_BILLING_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_RULE_FIELD_NUMBER: _ClassVar[int]
    BILLING_VISIBLE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AFTER_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_CAP_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: CreditScope
    application_type: CreditApplicationType
    feature: str
    default_amount: str
    refill_amount: str
    currency: str
    renew_on_billing: bool
    renewal_rule: str
    billing_visible: bool
    basis: CreditBasis
    expires_after: _duration_pb2.Duration
    rollover_cap: str
    priority: int
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[_Union[CreditScope, str]] = ..., application_type: _Optional[_Union[CreditApplicationType, str]] = ..., feature: _Optional[str] = ..., default_amount: _Optional[str] = ..., refill_amount: _Optional[str] = ..., currency: _Optional[str] = ..., renew_on_billing: _Optional[bool] = ..., renewal_rule: _Optional[str] = ..., billing_visible: _Optional[bool] = ..., basis: _Optional[_Union[CreditBasis, str]] = ..., expires_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rollover_cap: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...
