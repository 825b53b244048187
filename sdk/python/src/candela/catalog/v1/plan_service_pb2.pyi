from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.catalog.v1 import feature_pb2 as _feature_pb2
from candela.catalog.v1 import metric_pb2 as _metric_pb2
from candela.catalog.v1 import plan_pb2 as _plan_pb2
from candela.catalog.v1 import plan_version_pb2 as _plan_version_pb2
from candela.catalog.v1 import price_pb2 as _price_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePlanRequest(_message.Message):
    __slots__ = ("idempotency_key", "slug", "name", "description", "metrics", "features", "prices", "credit_definitions", "is_trial_plan", "trial_parent_plan", "trial_days", "is_enterprise_plan", "publicly_visible", "metadata", "keep_draft", "message", "trial_end_behavior", "trial_end_plan")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    IS_TRIAL_PLAN_FIELD_NUMBER: _ClassVar[int]
    TRIAL_PARENT_PLAN_FIELD_NUMBER: _ClassVar[int]
    TRIAL_DAYS_FIELD_NUMBER: _ClassVar[int]
    IS_ENTERPRISE_PLAN_FIELD_NUMBER: _ClassVar[int]
    PUBLICLY_VISIBLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    KEEP_DRAFT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_PLAN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    slug: str
    name: str
    description: str
    metrics: _containers.RepeatedCompositeFieldContainer[_metric_pb2.NewMetric]
    features: _containers.RepeatedCompositeFieldContainer[_plan_pb2.PlanFeatureInput]
    prices: _containers.RepeatedCompositeFieldContainer[_plan_pb2.NewPrice]
    credit_definitions: _containers.RepeatedCompositeFieldContainer[_credit_definition_pb2.NewCreditDefinition]
    is_trial_plan: bool
    trial_parent_plan: _plan_pb2.PlanRef
    trial_days: int
    is_enterprise_plan: bool
    publicly_visible: bool
    metadata: _containers.ScalarMap[str, str]
    keep_draft: bool
    message: str
    trial_end_behavior: _plan_pb2.TrialEndBehavior
    trial_end_plan: _plan_pb2.PlanRef
    def __init__(self, idempotency_key: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[_metric_pb2.NewMetric, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[_plan_pb2.PlanFeatureInput, _Mapping]]] = ..., prices: _Optional[_Iterable[_Union[_plan_pb2.NewPrice, _Mapping]]] = ..., credit_definitions: _Optional[_Iterable[_Union[_credit_definition_pb2.NewCreditDefinition, _Mapping]]] = ..., is_trial_plan: _Optional[bool] = ..., trial_parent_plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., trial_days: _Optional[int] = ..., is_enterprise_plan: _Optional[bool] = ..., publicly_visible: _Optional[bool] = ..., metadata: _Optional[_Mapping[str, str]] = ..., keep_draft: _Optional[bool] = ..., message: _Optional[str] = ..., trial_end_behavior: _Optional[_Union[_plan_pb2.TrialEndBehavior, str]] = ..., trial_end_plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ...) -> None: ...

class CreatePlanResponse(_message.Message):
    __slots__ = ("plan", "version", "prices", "features", "metrics", "warnings")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    version: _plan_pb2.PlanVersion
    prices: _containers.RepeatedCompositeFieldContainer[_price_pb2.Price]
    features: _containers.RepeatedCompositeFieldContainer[_feature_pb2.Feature]
    metrics: _containers.RepeatedCompositeFieldContainer[_metric_pb2.Metric]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ..., prices: _Optional[_Iterable[_Union[_price_pb2.Price, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[_feature_pb2.Feature, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[_metric_pb2.Metric, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPlanRequest(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.PlanRef
    def __init__(self, plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ...) -> None: ...

class GetPlanResponse(_message.Message):
    __slots__ = ("plan", "version", "prices")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    version: _plan_pb2.PlanVersion
    prices: _containers.RepeatedCompositeFieldContainer[_price_pb2.Price]
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ..., prices: _Optional[_Iterable[_Union[_price_pb2.Price, _Mapping]]] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListPlansResponse(_message.Message):
    __slots__ = ("plans", "next_page_token")
    PLANS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[_plan_pb2.Plan]
    next_page_token: str
    def __init__(self, plans: _Optional[_Iterable[_Union[_plan_pb2.Plan, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdatePlanRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan", "name", "description", "publicly_visible", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PUBLICLY_VISIBLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan: _plan_pb2.PlanRef
    name: str
    description: str
    publicly_visible: bool
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, idempotency_key: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., publicly_visible: _Optional[bool] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UpdatePlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ...) -> None: ...

class ArchivePlanRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan: _plan_pb2.PlanRef
    def __init__(self, idempotency_key: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ...) -> None: ...

class ArchivePlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ...) -> None: ...
