import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Aggregation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGREGATION_UNSPECIFIED: _ClassVar[Aggregation]
    AGGREGATION_COUNT: _ClassVar[Aggregation]
    AGGREGATION_SUM: _ClassVar[Aggregation]
    AGGREGATION_AVERAGE: _ClassVar[Aggregation]
    AGGREGATION_MAX: _ClassVar[Aggregation]
    AGGREGATION_MIN: _ClassVar[Aggregation]
    AGGREGATION_LAST: _ClassVar[Aggregation]
    AGGREGATION_UNIQUE: _ClassVar[Aggregation]
    AGGREGATION_WEIGHTED_SUM: _ClassVar[Aggregation]

class UniqueOf(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIQUE_OF_UNSPECIFIED: _ClassVar[UniqueOf]
    UNIQUE_OF_PROPERTY: _ClassVar[UniqueOf]
    UNIQUE_OF_USER: _ClassVar[UniqueOf]
    UNIQUE_OF_CUSTOMER: _ClassVar[UniqueOf]

class FilterOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILTER_OPERATOR_UNSPECIFIED: _ClassVar[FilterOperator]
    FILTER_OPERATOR_EQUALS: _ClassVar[FilterOperator]
    FILTER_OPERATOR_IN: _ClassVar[FilterOperator]
    FILTER_OPERATOR_PREFIX: _ClassVar[FilterOperator]
    FILTER_OPERATOR_AT_LEAST: _ClassVar[FilterOperator]
    FILTER_OPERATOR_LESS_THAN: _ClassVar[FilterOperator]
    FILTER_OPERATOR_EXISTS: _ClassVar[FilterOperator]
    FILTER_OPERATOR_ABSENT: _ClassVar[FilterOperator]
AGGREGATION_UNSPECIFIED: Aggregation
AGGREGATION_COUNT: Aggregation
AGGREGATION_SUM: Aggregation
AGGREGATION_AVERAGE: Aggregation
AGGREGATION_MAX: Aggregation
AGGREGATION_MIN: Aggregation
AGGREGATION_LAST: Aggregation
AGGREGATION_UNIQUE: Aggregation
AGGREGATION_WEIGHTED_SUM: Aggregation
UNIQUE_OF_UNSPECIFIED: UniqueOf
UNIQUE_OF_PROPERTY: UniqueOf
UNIQUE_OF_USER: UniqueOf
UNIQUE_OF_CUSTOMER: UniqueOf
FILTER_OPERATOR_UNSPECIFIED: FilterOperator
FILTER_OPERATOR_EQUALS: FilterOperator
FILTER_OPERATOR_IN: FilterOperator
FILTER_OPERATOR_PREFIX: FilterOperator
FILTER_OPERATOR_AT_LEAST: FilterOperator
FILTER_OPERATOR_LESS_THAN: FilterOperator
FILTER_OPERATOR_EXISTS: FilterOperator
FILTER_OPERATOR_ABSENT: FilterOperator

class Metric(_message.Message):
    __slots__ = ("id", "slug", "name", "aggregation", "event_names", "property", "unique_of", "filters", "group_by", "sql", "unit_name", "created_at", "archived_at", "gauge")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAMES_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_OF_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    UNIT_NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    GAUGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    name: str
    aggregation: Aggregation
    event_names: _containers.RepeatedScalarFieldContainer[str]
    property: str
    unique_of: UniqueOf
    filters: _containers.RepeatedCompositeFieldContainer[PropertyFilter]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    sql: SqlMetric
    unit_name: str
    created_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    gauge: bool
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., aggregation: _Optional[_Union[Aggregation, str]] = ..., event_names: _Optional[_Iterable[str]] = ..., property: _Optional[str] = ..., unique_of: _Optional[_Union[UniqueOf, str]] = ..., filters: _Optional[_Iterable[_Union[PropertyFilter, _Mapping]]] = ..., group_by: _Optional[_Iterable[str]] = ..., sql: _Optional[_Union[SqlMetric, _Mapping]] = ..., unit_name: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., gauge: _Optional[bool] = ...) -> None: ...

class PropertyFilter(_message.Message):
    __slots__ = ("property", "operator", "values")
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    property: str
    operator: FilterOperator
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, property: _Optional[str] = ..., operator: _Optional[_Union[FilterOperator, str]] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class SqlMetric(_message.Message):
    __slots__ = ("query", "indexed")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    INDEXED_FIELD_NUMBER: _ClassVar[int]
    query: str
    indexed: bool
    def __init__(self, query: _Optional[str] = ..., indexed: _Optional[bool] = ...) -> None: ...

class MetricRef(_message.Message):
    __slots__ = ("id", "slug")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ...) -> None: ...

class NewMetric(_message.Message):
    __slots__ = ("slug", "name", "aggregation", "event_names", "property", "unique_of", "filters", "group_by", "sql", "unit_name", "gauge")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAMES_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_OF_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    UNIT_NAME_FIELD_NUMBER: _ClassVar[int]
    GAUGE_FIELD_NUMBER: _ClassVar[int]
    slug: str
    name: str
    aggregation: Aggregation
    event_names: _containers.RepeatedScalarFieldContainer[str]
    property: str
    unique_of: UniqueOf
    filters: _containers.RepeatedCompositeFieldContainer[PropertyFilter]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    sql: SqlMetric
    unit_name: str
    gauge: bool
    def __init__(self, slug: _Optional[str] = ..., name: _Optional[str] = ..., aggregation: _Optional[_Union[Aggregation, str]] = ..., event_names: _Optional[_Iterable[str]] = ..., property: _Optional[str] = ..., unique_of: _Optional[_Union[UniqueOf, str]] = ..., filters: _Optional[_Iterable[_Union[PropertyFilter, _Mapping]]] = ..., group_by: _Optional[_Iterable[str]] = ..., sql: _Optional[_Union[SqlMetric, _Mapping]] = ..., unit_name: _Optional[str] = ..., gauge: _Optional[bool] = ...) -> None: ...
