from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.catalog.v1 import plan_pb2 as _plan_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePlanVersionRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan", "features", "credit_definitions", "message")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan: _plan_pb2.PlanRef
    features: _containers.RepeatedCompositeFieldContainer[_plan_pb2.PlanFeatureInput]
    credit_definitions: _containers.RepeatedCompositeFieldContainer[_credit_definition_pb2.NewCreditDefinition]
    message: str
    def __init__(self, idempotency_key: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., features: _Optional[_Iterable[_Union[_plan_pb2.PlanFeatureInput, _Mapping]]] = ..., credit_definitions: _Optional[_Iterable[_Union[_credit_definition_pb2.NewCreditDefinition, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class CreatePlanVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _plan_pb2.PlanVersion
    def __init__(self, version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ...) -> None: ...

class UpdatePlanVersionRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan_version_id", "features", "credit_definitions", "message")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan_version_id: str
    features: _containers.RepeatedCompositeFieldContainer[_plan_pb2.PlanFeatureInput]
    credit_definitions: _containers.RepeatedCompositeFieldContainer[_credit_definition_pb2.NewCreditDefinition]
    message: str
    def __init__(self, idempotency_key: _Optional[str] = ..., plan_version_id: _Optional[str] = ..., features: _Optional[_Iterable[_Union[_plan_pb2.PlanFeatureInput, _Mapping]]] = ..., credit_definitions: _Optional[_Iterable[_Union[_credit_definition_pb2.NewCreditDefinition, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class UpdatePlanVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _plan_pb2.PlanVersion
    def __init__(self, version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ...) -> None: ...

class PublishPlanVersionRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan_version_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan_version_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., plan_version_id: _Optional[str] = ...) -> None: ...

class PublishPlanVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _plan_pb2.PlanVersion
    def __init__(self, version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ...) -> None: ...

class ArchivePlanVersionRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan_version_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan_version_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., plan_version_id: _Optional[str] = ...) -> None: ...

class ArchivePlanVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _plan_pb2.PlanVersion
    def __init__(self, version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ...) -> None: ...

class GetPlanVersionRequest(_message.Message):
    __slots__ = ("plan_version_id",)
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    plan_version_id: str
    def __init__(self, plan_version_id: _Optional[str] = ...) -> None: ...

class GetPlanVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _plan_pb2.PlanVersion
    def __init__(self, version: _Optional[_Union[_plan_pb2.PlanVersion, _Mapping]] = ...) -> None: ...

class ListPlanVersionsRequest(_message.Message):
    __slots__ = ("plan", "page_size", "page_token")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.PlanRef
    page_size: int
    page_token: str
    def __init__(self, plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPlanVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_plan_pb2.PlanVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[_plan_pb2.PlanVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DiffPlanVersionsRequest(_message.Message):
    __slots__ = ("from_plan_version_id", "to_plan_version_id")
    FROM_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    from_plan_version_id: str
    to_plan_version_id: str
    def __init__(self, from_plan_version_id: _Optional[str] = ..., to_plan_version_id: _Optional[str] = ...) -> None: ...

class DiffPlanVersionsResponse(_message.Message):
    __slots__ = ("differences",)
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[PlanVersionDifference]
    def __init__(self, differences: _Optional[_Iterable[_Union[PlanVersionDifference, _Mapping]]] = ...) -> None: ...

class PlanVersionDifference(_message.Message):
    __slots__ = ("path", "before", "after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    before: str
    after: str
    def __init__(self, path: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...
