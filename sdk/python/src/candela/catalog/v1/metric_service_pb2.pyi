from candela.catalog.v1 import metric_pb2 as _metric_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateMetricRequest(_message.Message):
    __slots__ = ("idempotency_key", "metric")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    metric: _metric_pb2.NewMetric
    def __init__(self, idempotency_key: _Optional[str] = ..., metric: _Optional[_Union[_metric_pb2.NewMetric, _Mapping]] = ...) -> None: ...

class CreateMetricResponse(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.Metric
    def __init__(self, metric: _Optional[_Union[_metric_pb2.Metric, _Mapping]] = ...) -> None: ...

class GetMetricRequest(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.MetricRef
    def __init__(self, metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ...) -> None: ...

class GetMetricResponse(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.Metric
    def __init__(self, metric: _Optional[_Union[_metric_pb2.Metric, _Mapping]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("metrics", "next_page_token")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[_metric_pb2.Metric]
    next_page_token: str
    def __init__(self, metrics: _Optional[_Iterable[_Union[_metric_pb2.Metric, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateMetricRequest(_message.Message):
    __slots__ = ("idempotency_key", "metric", "name", "unit_name")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_NAME_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    metric: _metric_pb2.MetricRef
    name: str
    unit_name: str
    def __init__(self, idempotency_key: _Optional[str] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ..., name: _Optional[str] = ..., unit_name: _Optional[str] = ...) -> None: ...

class UpdateMetricResponse(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.Metric
    def __init__(self, metric: _Optional[_Union[_metric_pb2.Metric, _Mapping]] = ...) -> None: ...

class ArchiveMetricRequest(_message.Message):
    __slots__ = ("idempotency_key", "metric")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    metric: _metric_pb2.MetricRef
    def __init__(self, idempotency_key: _Optional[str] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ...) -> None: ...

class ArchiveMetricResponse(_message.Message):
    __slots__ = ("metric",)
    METRIC_FIELD_NUMBER: _ClassVar[int]
    metric: _metric_pb2.Metric
    def __init__(self, metric: _Optional[_Union[_metric_pb2.Metric, _Mapping]] = ...) -> None: ...
