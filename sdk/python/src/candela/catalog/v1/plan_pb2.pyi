import datetime

from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.catalog.v1 import feature_pb2 as _feature_pb2
from candela.catalog.v1 import price_pb2 as _price_pb2
from candela.catalog.v1 import price_terms_pb2 as _price_terms_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrialEndBehavior(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIAL_END_BEHAVIOR_UNSPECIFIED: _ClassVar[TrialEndBehavior]
    TRIAL_END_BEHAVIOR_CANCEL: _ClassVar[TrialEndBehavior]
    TRIAL_END_BEHAVIOR_PAUSE: _ClassVar[TrialEndBehavior]
    TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE: _ClassVar[TrialEndBehavior]

class PlanVersionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLAN_VERSION_STATUS_UNSPECIFIED: _ClassVar[PlanVersionStatus]
    PLAN_VERSION_STATUS_DRAFT: _ClassVar[PlanVersionStatus]
    PLAN_VERSION_STATUS_PUBLISHED: _ClassVar[PlanVersionStatus]
    PLAN_VERSION_STATUS_ARCHIVED: _ClassVar[PlanVersionStatus]
TRIAL_END_BEHAVIOR_UNSPECIFIED: TrialEndBehavior
TRIAL_END_BEHAVIOR_CANCEL: TrialEndBehavior
TRIAL_END_BEHAVIOR_PAUSE: TrialEndBehavior
TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE: TrialEndBehavior
PLAN_VERSION_STATUS_UNSPECIFIED: PlanVersionStatus
PLAN_VERSION_STATUS_DRAFT: PlanVersionStatus
PLAN_VERSION_STATUS_PUBLISHED: PlanVersionStatus
PLAN_VERSION_STATUS_ARCHIVED: PlanVersionStatus

class Plan(_message.Message):
    __slots__ = ("id", "slug", "name", "description", "current_version_id", "is_trial_plan", "trial_parent_plan_id", "trial_days", "is_enterprise_plan", "publicly_visible", "free", "metadata", "created_at", "archived_at", "trial_end_behavior", "trial_end_plan_id")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CURRENT_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    IS_TRIAL_PLAN_FIELD_NUMBER: _ClassVar[int]
    TRIAL_PARENT_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_DAYS_FIELD_NUMBER: _ClassVar[int]
    IS_ENTERPRISE_PLAN_FIELD_NUMBER: _ClassVar[int]
    PUBLICLY_VISIBLE_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_AT_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    name: str
    description: str
    current_version_id: str
    is_trial_plan: bool
    trial_parent_plan_id: str
    trial_days: int
    is_enterprise_plan: bool
    publicly_visible: bool
    free: bool
    metadata: _containers.ScalarMap[str, str]
    created_at: _timestamp_pb2.Timestamp
    archived_at: _timestamp_pb2.Timestamp
    trial_end_behavior: TrialEndBehavior
    trial_end_plan_id: str
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., current_version_id: _Optional[str] = ..., is_trial_plan: _Optional[bool] = ..., trial_parent_plan_id: _Optional[str] = ..., trial_days: _Optional[int] = ..., is_enterprise_plan: _Optional[bool] = ..., publicly_visible: _Optional[bool] = ..., free: _Optional[bool] = ..., metadata: _Optional[_Mapping[str, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trial_end_behavior: _Optional[_Union[TrialEndBehavior, str]] = ..., trial_end_plan_id: _Optional[str] = ...) -> None: ...

class PlanVersion(_message.Message):
    __slots__ = ("id", "plan_id", "number", "status", "features", "credit_definitions", "message", "author", "created_at", "published_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    plan_id: str
    number: int
    status: PlanVersionStatus
    features: _containers.RepeatedCompositeFieldContainer[PlanFeature]
    credit_definitions: _containers.RepeatedCompositeFieldContainer[_credit_definition_pb2.CreditDefinition]
    message: str
    author: str
    created_at: _timestamp_pb2.Timestamp
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., plan_id: _Optional[str] = ..., number: _Optional[int] = ..., status: _Optional[_Union[PlanVersionStatus, str]] = ..., features: _Optional[_Iterable[_Union[PlanFeature, _Mapping]]] = ..., credit_definitions: _Optional[_Iterable[_Union[_credit_definition_pb2.CreditDefinition, _Mapping]]] = ..., message: _Optional[str] = ..., author: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PlanFeature(_message.Message):
    __slots__ = ("feature_id", "feature_slug", "value", "limit_behavior", "limit_scope")
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SLUG_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_SCOPE_FIELD_NUMBER: _ClassVar[int]
    feature_id: str
    feature_slug: str
    value: _feature_pb2.FeatureValue
    limit_behavior: _feature_pb2.LimitBehavior
    limit_scope: _feature_pb2.LimitScope
    def __init__(self, feature_id: _Optional[str] = ..., feature_slug: _Optional[str] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., limit_behavior: _Optional[_Union[_feature_pb2.LimitBehavior, str]] = ..., limit_scope: _Optional[_Union[_feature_pb2.LimitScope, str]] = ...) -> None: ...

class PlanRef(_message.Message):
    __slots__ = ("id", "slug")
    ID_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    id: str
    slug: str
    def __init__(self, id: _Optional[str] = ..., slug: _Optional[str] = ...) -> None: ...

class PlanFeatureInput(_message.Message):
    __slots__ = ("existing", "new_feature", "value", "limit_behavior", "limit_scope")
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    NEW_FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_SCOPE_FIELD_NUMBER: _ClassVar[int]
    existing: _feature_pb2.FeatureRef
    new_feature: _feature_pb2.NewFeature
    value: _feature_pb2.FeatureValue
    limit_behavior: _feature_pb2.LimitBehavior
    limit_scope: _feature_pb2.LimitScope
    def __init__(self, existing: _Optional[_Union[_feature_pb2.FeatureRef, _Mapping]] = ..., new_feature: _Optional[_Union[_feature_pb2.NewFeature, _Mapping]] = ..., value: _Optional[_Union[_feature_pb2.FeatureValue, _Mapping]] = ..., limit_behavior: _Optional[_Union[_feature_pb2.LimitBehavior, str]] = ..., limit_scope: _Optional[_Union[_feature_pb2.LimitScope, str]] = ...) -> None: ...

class NewPrice(_message.Message):
    __slots__ = ("name", "currency", "components", "discounts", "minimum_commitment", "private_customer_id", "billing_threshold")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    DISCOUNTS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    name: str
    currency: str
    components: _containers.RepeatedCompositeFieldContainer[_price_pb2.PriceComponent]
    discounts: _containers.RepeatedCompositeFieldContainer[_price_terms_pb2.Discount]
    minimum_commitment: _price_terms_pb2.MinimumCommitment
    private_customer_id: str
    billing_threshold: _money_pb2.Money
    def __init__(self, name: _Optional[str] = ..., currency: _Optional[str] = ..., components: _Optional[_Iterable[_Union[_price_pb2.PriceComponent, _Mapping]]] = ..., discounts: _Optional[_Iterable[_Union[_price_terms_pb2.Discount, _Mapping]]] = ..., minimum_commitment: _Optional[_Union[_price_terms_pb2.MinimumCommitment, _Mapping]] = ..., private_customer_id: _Optional[str] = ..., billing_threshold: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
