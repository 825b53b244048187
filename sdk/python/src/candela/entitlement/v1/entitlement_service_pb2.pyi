import datetime

from candela.catalog.v1 import metric_pb2 as _metric_pb2
from candela.entitlement.v1 import entitlement_pb2 as _entitlement_pb2
from candela.type.v1 import interval_pb2 as _interval_pb2
from candela.type.v1 import item_error_pb2 as _item_error_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CheckRequest(_message.Message):
    __slots__ = ("customer_id", "external_customer_id", "user_id", "external_user_id", "feature", "quantity", "min_revision")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    external_customer_id: str
    user_id: str
    external_user_id: str
    feature: str
    quantity: str
    min_revision: int
    def __init__(self, customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., feature: _Optional[str] = ..., quantity: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("entitlement", "freshness")
    ENTITLEMENT_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    entitlement: _entitlement_pb2.Entitlement
    freshness: _entitlement_pb2.Freshness
    def __init__(self, entitlement: _Optional[_Union[_entitlement_pb2.Entitlement, _Mapping]] = ..., freshness: _Optional[_Union[_entitlement_pb2.Freshness, _Mapping]] = ...) -> None: ...

class CheckManyRequest(_message.Message):
    __slots__ = ("checks",)
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[CheckRequest]
    def __init__(self, checks: _Optional[_Iterable[_Union[CheckRequest, _Mapping]]] = ...) -> None: ...

class CheckManyResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CheckManyResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CheckManyResult, _Mapping]]] = ...) -> None: ...

class CheckManyResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: CheckResponse
    error: _item_error_pb2.ItemError
    def __init__(self, response: _Optional[_Union[CheckResponse, _Mapping]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...

class ListEntitlementsRequest(_message.Message):
    __slots__ = ("customer_id", "external_customer_id", "user_id", "external_user_id", "min_revision")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    external_customer_id: str
    user_id: str
    external_user_id: str
    min_revision: int
    def __init__(self, customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class ListEntitlementsResponse(_message.Message):
    __slots__ = ("customer_id", "entitlements", "freshness")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENTS_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    entitlements: _containers.RepeatedCompositeFieldContainer[_entitlement_pb2.Entitlement]
    freshness: _entitlement_pb2.Freshness
    def __init__(self, customer_id: _Optional[str] = ..., entitlements: _Optional[_Iterable[_Union[_entitlement_pb2.Entitlement, _Mapping]]] = ..., freshness: _Optional[_Union[_entitlement_pb2.Freshness, _Mapping]] = ...) -> None: ...

class GetFeatureUsageRequest(_message.Message):
    __slots__ = ("customer_id", "external_customer_id", "user_id", "external_user_id", "features")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    external_customer_id: str
    user_id: str
    external_user_id: str
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class GetFeatureUsageResponse(_message.Message):
    __slots__ = ("customer_id", "features", "freshness")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    features: _containers.RepeatedCompositeFieldContainer[FeatureUsage]
    freshness: _entitlement_pb2.Freshness
    def __init__(self, customer_id: _Optional[str] = ..., features: _Optional[_Iterable[_Union[FeatureUsage, _Mapping]]] = ..., freshness: _Optional[_Union[_entitlement_pb2.Freshness, _Mapping]] = ...) -> None: ...

class FeatureUsage(_message.Message):
    __slots__ = ("feature", "metric", "window", "usage", "credit_info")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_INFO_FIELD_NUMBER: _ClassVar[int]
    feature: str
    metric: _metric_pb2.MetricRef
    window: _interval_pb2.Interval
    usage: _entitlement_pb2.Usage
    credit_info: _entitlement_pb2.CreditInfo
    def __init__(self, feature: _Optional[str] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., usage: _Optional[_Union[_entitlement_pb2.Usage, _Mapping]] = ..., credit_info: _Optional[_Union[_entitlement_pb2.CreditInfo, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("customer_ids", "resume_token")
    CUSTOMER_IDS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer_ids: _containers.RepeatedScalarFieldContainer[str]
    resume_token: str
    def __init__(self, customer_ids: _Optional[_Iterable[str]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("snapshot", "delta", "heartbeat", "resume_token")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    snapshot: EntitlementSnapshot
    delta: EntitlementDelta
    heartbeat: Heartbeat
    resume_token: str
    def __init__(self, snapshot: _Optional[_Union[EntitlementSnapshot, _Mapping]] = ..., delta: _Optional[_Union[EntitlementDelta, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class EntitlementSnapshot(_message.Message):
    __slots__ = ("customer_id", "external_customer_id", "users", "entitlements", "revision", "valid_until")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    ENTITLEMENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    external_customer_id: str
    users: _containers.RepeatedCompositeFieldContainer[WatchedUser]
    entitlements: _containers.RepeatedCompositeFieldContainer[_entitlement_pb2.Entitlement]
    revision: int
    valid_until: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., external_customer_id: _Optional[str] = ..., users: _Optional[_Iterable[_Union[WatchedUser, _Mapping]]] = ..., entitlements: _Optional[_Iterable[_Union[_entitlement_pb2.Entitlement, _Mapping]]] = ..., revision: _Optional[int] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchedUser(_message.Message):
    __slots__ = ("user_id", "external_user_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    external_user_id: str
    def __init__(self, user_id: _Optional[str] = ..., external_user_id: _Optional[str] = ...) -> None: ...

class EntitlementDelta(_message.Message):
    __slots__ = ("customer_id", "from_revision", "revision", "changed", "removed_features", "valid_until")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    from_revision: int
    revision: int
    changed: _containers.RepeatedCompositeFieldContainer[_entitlement_pb2.Entitlement]
    removed_features: _containers.RepeatedScalarFieldContainer[str]
    valid_until: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., from_revision: _Optional[int] = ..., revision: _Optional[int] = ..., changed: _Optional[_Iterable[_Union[_entitlement_pb2.Entitlement, _Mapping]]] = ..., removed_features: _Optional[_Iterable[str]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("at", "catching_up")
    AT_FIELD_NUMBER: _ClassVar[int]
    CATCHING_UP_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    catching_up: bool
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catching_up: _Optional[bool] = ...) -> None: ...
