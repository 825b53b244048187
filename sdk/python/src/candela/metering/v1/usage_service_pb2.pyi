from candela.catalog.v1 import metric_pb2 as _metric_pb2
from candela.customer.v1 import customer_pb2 as _customer_pb2
from candela.customer.v1 import user_pb2 as _user_pb2
from candela.metering.v1 import event_pb2 as _event_pb2
from candela.metering.v1 import usage_pb2 as _usage_pb2
from candela.type.v1 import interval_pb2 as _interval_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetUsageRequest(_message.Message):
    __slots__ = ("customer", "user", "everyone", "metrics", "window")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    user: _user_pb2.UserRef
    everyone: bool
    metrics: _containers.RepeatedCompositeFieldContainer[_metric_pb2.MetricRef]
    window: _interval_pb2.Interval
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., user: _Optional[_Union[_user_pb2.UserRef, _Mapping]] = ..., everyone: _Optional[bool] = ..., metrics: _Optional[_Iterable[_Union[_metric_pb2.MetricRef, _Mapping]]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("customer_id", "user_id", "window", "usages", "left_out_metric_ids")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    USAGES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_METRIC_IDS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    user_id: str
    window: _interval_pb2.Interval
    usages: _containers.RepeatedCompositeFieldContainer[_usage_pb2.MetricUsage]
    left_out_metric_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., usages: _Optional[_Iterable[_Union[_usage_pb2.MetricUsage, _Mapping]]] = ..., left_out_metric_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryUsageRequest(_message.Message):
    __slots__ = ("customer", "user", "everyone", "metric", "window", "bucket_size", "time_zone", "grouped", "groups", "filters")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    BUCKET_SIZE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GROUPED_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    user: _user_pb2.UserRef
    everyone: bool
    metric: _metric_pb2.MetricRef
    window: _interval_pb2.Interval
    bucket_size: _usage_pb2.BucketSize
    time_zone: str
    grouped: bool
    groups: _containers.RepeatedScalarFieldContainer[str]
    filters: _containers.RepeatedCompositeFieldContainer[_metric_pb2.PropertyFilter]
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., user: _Optional[_Union[_user_pb2.UserRef, _Mapping]] = ..., everyone: _Optional[bool] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., bucket_size: _Optional[_Union[_usage_pb2.BucketSize, str]] = ..., time_zone: _Optional[str] = ..., grouped: _Optional[bool] = ..., groups: _Optional[_Iterable[str]] = ..., filters: _Optional[_Iterable[_Union[_metric_pb2.PropertyFilter, _Mapping]]] = ...) -> None: ...

class QueryUsageResponse(_message.Message):
    __slots__ = ("customer_id", "user_id", "metric_id", "buckets", "fill_status")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    FILL_STATUS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    user_id: str
    metric_id: str
    buckets: _containers.RepeatedCompositeFieldContainer[_usage_pb2.UsageBucket]
    fill_status: _usage_pb2.FillStatus
    def __init__(self, customer_id: _Optional[str] = ..., user_id: _Optional[str] = ..., metric_id: _Optional[str] = ..., buckets: _Optional[_Iterable[_Union[_usage_pb2.UsageBucket, _Mapping]]] = ..., fill_status: _Optional[_Union[_usage_pb2.FillStatus, str]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "customer", "names", "window", "user")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    customer: _customer_pb2.CustomerRef
    names: _containers.RepeatedScalarFieldContainer[str]
    window: _interval_pb2.Interval
    user: _user_pb2.UserRef
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., names: _Optional[_Iterable[str]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., user: _Optional[_Union[_user_pb2.UserRef, _Mapping]] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.StoredEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.StoredEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PreviewMetricRequest(_message.Message):
    __slots__ = ("metric", "customer", "window")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.NewMetric
    customer: _customer_pb2.CustomerRef
    window: _interval_pb2.Interval
    def __init__(self, metric: _Optional[_Union[_metric_pb2.NewMetric, _Mapping]] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ...) -> None: ...

class PreviewMetricResponse(_message.Message):
    __slots__ = ("value", "event_count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    event_count: int
    def __init__(self, value: _Optional[str] = ..., event_count: _Optional[int] = ...) -> None: ...

class FillMetricRequest(_message.Message):
    __slots__ = ("idempotency_key", "metric")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    metric: _metric_pb2.MetricRef
    def __init__(self, idempotency_key: _Optional[str] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ...) -> None: ...

class FillMetricResponse(_message.Message):
    __slots__ = ("fill",)
    FILL_FIELD_NUMBER: _ClassVar[int]
    fill: _usage_pb2.MetricFill
    def __init__(self, fill: _Optional[_Union[_usage_pb2.MetricFill, _Mapping]] = ...) -> None: ...

class GetMetricFillRequest(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.MetricRef
    def __init__(self, metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ...) -> None: ...

class GetMetricFillResponse(_message.Message):
    __slots__ = ("fill",)
    FILL_FIELD_NUMBER: _ClassVar[int]
    fill: _usage_pb2.MetricFill
    def __init__(self, fill: _Optional[_Union[_usage_pb2.MetricFill, _Mapping]] = ...) -> None: ...

class ListUnmatchedEventNamesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUnmatchedEventNamesResponse(_message.Message):
    __slots__ = ("names", "next_page_token")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedCompositeFieldContainer[_usage_pb2.UnmatchedEventName]
    next_page_token: str
    def __init__(self, names: _Optional[_Iterable[_Union[_usage_pb2.UnmatchedEventName, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
