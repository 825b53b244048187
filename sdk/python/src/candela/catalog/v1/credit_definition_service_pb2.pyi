from candela.catalog.v1 import credit_definition_pb2 as _credit_definition_pb2
from candela.catalog.v1 import plan_pb2 as _plan_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateCreditDefinitionRequest(_message.Message):
    __slots__ = ("idempotency_key", "plan", "price_id", "price_component_id", "credit_definition")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    plan: _plan_pb2.PlanRef
    price_id: str
    price_component_id: str
    credit_definition: _credit_definition_pb2.NewCreditDefinition
    def __init__(self, idempotency_key: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ..., price_id: _Optional[str] = ..., price_component_id: _Optional[str] = ..., credit_definition: _Optional[_Union[_credit_definition_pb2.NewCreditDefinition, _Mapping]] = ...) -> None: ...

class CreateCreditDefinitionResponse(_message.Message):
    __slots__ = ("credit_definition",)
    CREDIT_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    credit_definition: _credit_definition_pb2.CreditDefinition
    def __init__(self, credit_definition: _Optional[_Union[_credit_definition_pb2.CreditDefinition, _Mapping]] = ...) -> None: ...

class GetCreditDefinitionRequest(_message.Message):
    __slots__ = ("credit_definition_id",)
    CREDIT_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    credit_definition_id: str
    def __init__(self, credit_definition_id: _Optional[str] = ...) -> None: ...

class GetCreditDefinitionResponse(_message.Message):
    __slots__ = ("credit_definition",)
    CREDIT_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    credit_definition: _credit_definition_pb2.CreditDefinition
    def __init__(self, credit_definition: _Optional[_Union[_credit_definition_pb2.CreditDefinition, _Mapping]] = ...) -> None: ...

class ListCreditDefinitionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "plan")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    plan: _plan_pb2.PlanRef
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.PlanRef, _Mapping]] = ...) -> None: ...

class ListCreditDefinitionsResponse(_message.Message):
    __slots__ = ("credit_definitions", "next_page_token")
    CREDIT_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credit_definitions: _containers.RepeatedCompositeFieldContainer[_credit_definition_pb2.CreditDefinition]
    next_page_token: str
    def __init__(self, credit_definitions: _Optional[_Iterable[_Union[_credit_definition_pb2.CreditDefinition, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ArchiveCreditDefinitionRequest(_message.Message):
    __slots__ = ("idempotency_key", "credit_definition_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CREDIT_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    credit_definition_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., credit_definition_id: _Optional[str] = ...) -> None: ...

class ArchiveCreditDefinitionResponse(_message.Message):
    __slots__ = ("credit_definition",)
    CREDIT_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    credit_definition: _credit_definition_pb2.CreditDefinition
    def __init__(self, credit_definition: _Optional[_Union[_credit_definition_pb2.CreditDefinition, _Mapping]] = ...) -> None: ...
