from candela.catalog.v1 import feature_pb2 as _feature_pb2
from candela.catalog.v1 import metric_pb2 as _metric_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateFeatureRequest(_message.Message):
    __slots__ = ("idempotency_key", "feature")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    feature: _feature_pb2.NewFeature
    def __init__(self, idempotency_key: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.NewFeature, _Mapping]] = ...) -> None: ...

class CreateFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...

class GetFeatureRequest(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.FeatureRef
    def __init__(self, feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ...) -> None: ...

class GetFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...

class ListFeaturesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListFeaturesResponse(_message.Message):
    __slots__ = ("features", "next_page_token")
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedCompositeFieldContainer[_feature_pb2.Feature]
    next_page_token: str
    def __init__(self, features: _Optional[_Iterable[_Union[_feature_pb2.Feature, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateFeatureRequest(_message.Message):
    __slots__ = ("idempotency_key", "feature", "name", "description", "default_value", "metric")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    feature: _feature_pb2.FeatureRef
    name: str
    description: str
    default_value: _feature_pb2.FeatureValue
    metric: _metric_pb2.MetricRef
    def __init__(self, idempotency_key: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., default_value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., metric: _Optional[_Union[_metric_pb2.MetricRef, _Mapping]] = ...) -> None: ...

class UpdateFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...

class DisableFeatureRequest(_message.Message):
    __slots__ = ("idempotency_key", "feature")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    feature: _feature_pb2.FeatureRef
    def __init__(self, idempotency_key: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ...) -> None: ...

class DisableFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...

class EnableFeatureRequest(_message.Message):
    __slots__ = ("idempotency_key", "feature")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    feature: _feature_pb2.FeatureRef
    def __init__(self, idempotency_key: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ...) -> None: ...

class EnableFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...

class ArchiveFeatureRequest(_message.Message):
    __slots__ = ("idempotency_key", "feature")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    feature: _feature_pb2.FeatureRef
    def __init__(self, idempotency_key: _Optional[str] = ..., feature: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ...) -> None: ...

class ArchiveFeatureResponse(_message.Message):
    __slots__ = ("feature",)
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    feature: _feature_pb2.Feature
    def __init__(self, feature: _Optional[_Union[_feature_pb2.Feature, _Mapping]] = ...) -> None: ...
