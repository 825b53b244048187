import datetime

from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreditFunding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_FUNDING_UNSPECIFIED: _ClassVar[CreditFunding]
    CREDIT_FUNDING_INCLUDED: _ClassVar[CreditFunding]
    CREDIT_FUNDING_FREE: _ClassVar[CreditFunding]
    CREDIT_FUNDING_PROMOTION: _ClassVar[CreditFunding]
    CREDIT_FUNDING_PAID: _ClassVar[CreditFunding]
    CREDIT_FUNDING_ROLLOVER: _ClassVar[CreditFunding]

class CreditTransactionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_TRANSACTION_KIND_UNSPECIFIED: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_GRANT: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_DRAW: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_EXPIRE: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_REVOKE: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_RESTORE: _ClassVar[CreditTransactionKind]
    CREDIT_TRANSACTION_KIND_ADJUST: _ClassVar[CreditTransactionKind]
CREDIT_FUNDING_UNSPECIFIED: CreditFunding
CREDIT_FUNDING_INCLUDED: CreditFunding
CREDIT_FUNDING_FREE: CreditFunding
CREDIT_FUNDING_PROMOTION: CreditFunding
CREDIT_FUNDING_PAID: CreditFunding
CREDIT_FUNDING_ROLLOVER: CreditFunding
CREDIT_TRANSACTION_KIND_UNSPECIFIED: CreditTransactionKind
CREDIT_TRANSACTION_KIND_GRANT: CreditTransactionKind
CREDIT_TRANSACTION_KIND_DRAW: CreditTransactionKind
CREDIT_TRANSACTION_KIND_EXPIRE: CreditTransactionKind
CREDIT_TRANSACTION_KIND_REVOKE: CreditTransactionKind
CREDIT_TRANSACTION_KIND_RESTORE: CreditTransactionKind
CREDIT_TRANSACTION_KIND_ADJUST: CreditTransactionKind

class CreditGrant(_message.Message):
    __slots__ = ("id", "customer_id", "subscription_id", "credit_definition_id", "application_type", "scope", "feature_id", "metric_id", "price_component_id", "currency", "amount", "balance", "effective_at", "expires_at", "priority", "funding", "reason", "created_at", "cost_basis")
    ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_FIELD_NUMBER: _ClassVar[int]
    id: str
    customer_id: str
    subscription_id: str
    credit_definition_id: str
    application_type: _credit_definition_pb2.CreditApplicationType
    scope: _credit_definition_pb2.CreditScope
    feature_id: str
    metric_id: str
    price_component_id: str
    currency: str
    amount: str
    balance: str
    effective_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    priority: int
    funding: CreditFunding
    reason: str
    created_at: _timestamp_pb2.Timestamp
    cost_basis: _money_pb2.Money
    def __init__(self, id: _Optional[str] = ..., customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., credit_definition_id: _Optional[str] = ..., application_type: _Optional[_Union[_credit_definition_pb2.CreditApplicationType, str]] = ..., scope: _Optional[_Union[_credit_definition_pb2.CreditScope, str]] = ..., feature_id: _Optional[str] = ..., metric_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., currency: _Optional[str] = ..., amount: _Optional[str] = ..., balance: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., funding: _Optional[_Union[CreditFunding, str]] = ..., reason: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cost_basis: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class CreditTransaction(_message.Message):
    __slots__ = ("id", "grant_id", "kind", "amount", "invoice_line_id", "reason", "at")
    ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    grant_id: str
    kind: CreditTransactionKind
    amount: str
    invoice_line_id: str
    reason: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., grant_id: _Optional[str] = ..., kind: _Optional[_Union[CreditTransactionKind, str]] = ..., amount: _Optional[str] = ..., invoice_line_id: _Optional[str] = ..., reason: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
