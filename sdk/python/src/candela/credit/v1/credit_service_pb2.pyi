import datetime

from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.catalog.v1 import feature_pb2 as _feature_pb2
from candela.credit.v1 import credit_pb2 as _credit_pb2
from candela.customer.v1 import customer_pb2 as _customer_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GrantCreditsRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "application_type", "feature", "amount", "currency", "effective_at", "expires_at", "priority", "funding", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    application_type: _credit_definition_pb2.CreditApplicationType
    feature: _feature_pb2.FeatureRef
    amount: str
    currency: str
    effective_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    priority: int
    funding: _credit_pb2.CreditFunding
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., application_type: _Optional[_Union[_credit_definition_pb2.CreditApplicationType, str]] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., amount: _Optional[str] = ..., currency: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., funding: _Optional[_Union[_credit_pb2.CreditFunding, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class GrantCreditsResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _credit_pb2.CreditGrant
    def __init__(self, grant: _Optional[_Union[_credit_pb2.CreditGrant, _Mapping]] = ...) -> None: ...

class RevokeGrantRequest(_message.Message):
    __slots__ = ("idempotency_key", "grant_id", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    grant_id: str
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., grant_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RevokeGrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _credit_pb2.CreditGrant
    def __init__(self, grant: _Optional[_Union[_credit_pb2.CreditGrant, _Mapping]] = ...) -> None: ...

class AdjustGrantRequest(_message.Message):
    __slots__ = ("idempotency_key", "grant_id", "amount", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    grant_id: str
    amount: str
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., grant_id: _Optional[str] = ..., amount: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AdjustGrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _credit_pb2.CreditGrant
    def __init__(self, grant: _Optional[_Union[_credit_pb2.CreditGrant, _Mapping]] = ...) -> None: ...

class GetGrantRequest(_message.Message):
    __slots__ = ("grant_id",)
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    grant_id: str
    def __init__(self, grant_id: _Optional[str] = ...) -> None: ...

class GetGrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _credit_pb2.CreditGrant
    def __init__(self, grant: _Optional[_Union[_credit_pb2.CreditGrant, _Mapping]] = ...) -> None: ...

class ListGrantsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token", "include_ended")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ENDED_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    page_size: int
    page_token: str
    include_ended: bool
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_ended: _Optional[bool] = ...) -> None: ...

class ListGrantsResponse(_message.Message):
    __slots__ = ("grants", "next_page_token")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[_credit_pb2.CreditGrant]
    next_page_token: str
    def __init__(self, grants: _Optional[_Iterable[_Union[_credit_pb2.CreditGrant, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetBalanceRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ...) -> None: ...

class GetBalanceResponse(_message.Message):
    __slots__ = ("feature_balances", "monetary_balances")
    FEATURE_BALANCES_FIELD_NUMBER: _ClassVar[int]
    MONETARY_BALANCES_FIELD_NUMBER: _ClassVar[int]
    feature_balances: _containers.RepeatedCompositeFieldContainer[FeatureBalance]
    monetary_balances: _containers.RepeatedCompositeFieldContainer[_money_pb2.Money]
    def __init__(self, feature_balances: _Optional[_Iterable[_Union[FeatureBalance, _Mapping]]] = ..., monetary_balances: _Optional[_Iterable[_Union[_money_pb2.Money, _Mapping]]] = ...) -> None: ...

class FeatureBalance(_message.Message):
    __slots__ = ("feature_id", "feature_slug", "granted", "balance", "next_expiry_at")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SLUG_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_EXPIRY_AT_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    feature_slug: str
    granted: str
    balance: str
    next_expiry_at: _timestamp_pb2.Timestamp
    def __init__(self, feature_id: _Optional[str] = ..., feature_slug: _Optional[str] = ..., granted: _Optional[str] = ..., balance: _Optional[str] = ..., next_expiry_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListCreditTransactionsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token", "grant_id")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    page_size: int
    page_token: str
    grant_id: str
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., grant_id: _Optional[str] = ...) -> None: ...

class ListCreditTransactionsResponse(_message.Message):
    __slots__ = ("credit_transactions", "next_page_token")
    CREDIT_TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credit_transactions: _containers.RepeatedCompositeFieldContainer[_credit_pb2.CreditTransaction]
    next_page_token: str
    def __init__(self, credit_transactions: _Optional[_Iterable[_Union[_credit_pb2.CreditTransaction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TopUpCreditsRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "feature", "amount", "price", "expires_at")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    feature: _feature_pb2.FeatureRef
    amount: str
    price: _money_pb2.Money
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., amount: _Optional[str] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TopUpCreditsResponse(_message.Message):
    __slots__ = ("grant", "invoice_id")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    grant: _credit_pb2.CreditGrant
    invoice_id: str
    def __init__(self, grant: _Optional[_Union[_credit_pb2.CreditGrant, _Mapping]] = ..., invoice_id: _Optional[str] = ...) -> None: ...

class AutoTopUp(_message.Message):
    __slots__ = ("enabled", "feature", "threshold", "amount", "price", "monthly_cap_count", "stopped_reason")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_CAP_COUNT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_REASON_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    feature: _feature_pb2.FeatureRef
    threshold: str
    amount: str
    price: _money_pb2.Money
    monthly_cap_count: int
    stopped_reason: str
    def __init__(self, enabled: _Optional[bool] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., threshold: _Optional[str] = ..., amount: _Optional[str] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., monthly_cap_count: _Optional[int] = ..., stopped_reason: _Optional[str] = ...) -> None: ...

class UpdateAutoTopUpRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "auto_top_up")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    auto_top_up: AutoTopUp
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ...) -> None: ...

class UpdateAutoTopUpResponse(_message.Message):
    __slots__ = ("auto_top_up",)
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    auto_top_up: AutoTopUp
    def __init__(self, auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ...) -> None: ...

class GetAutoTopUpRequest(_message.Message):
    __slots__ = ("customer", "feature")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    feature: _feature_pb2.FeatureRef
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ...) -> None: ...

class GetAutoTopUpResponse(_message.Message):
    __slots__ = ("auto_top_up",)
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    auto_top_up: AutoTopUp
    def __init__(self, auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ...) -> None: ...
