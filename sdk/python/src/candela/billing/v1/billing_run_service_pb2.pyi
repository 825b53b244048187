from candela.billing.v1 import billing_run_pb2 as _billing_run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartBillingRunRequest(_message.Message):
    __slots__ = ("idempotency_key",)
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    def __init__(self, idempotency_key: _Optional[str] = ...) -> None: ...

class StartBillingRunResponse(_message.Message):
    __slots__ = ("billing_run",)
    BILLING_RUN_FIELD_NUMBER: _ClassVar[int]
    billing_run: _billing_run_pb2.BillingRun
    def __init__(self, billing_run: _Optional[_Union[_billing_run_pb2.BillingRun, _Mapping]] = ...) -> None: ...

class GetBillingRunRequest(_message.Message):
    __slots__ = ("billing_run_id",)
    BILLING_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    billing_run_id: str
    def __init__(self, billing_run_id: _Optional[str] = ...) -> None: ...

class GetBillingRunResponse(_message.Message):
    __slots__ = ("billing_run",)
    BILLING_RUN_FIELD_NUMBER: _ClassVar[int]
    billing_run: _billing_run_pb2.BillingRun
    def __init__(self, billing_run: _Optional[_Union[_billing_run_pb2.BillingRun, _Mapping]] = ...) -> None: ...

class ListBillingRunsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBillingRunsResponse(_message.Message):
    __slots__ = ("billing_runs", "next_page_token")
    BILLING_RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    billing_runs: _containers.RepeatedCompositeFieldContainer[_billing_run_pb2.BillingRun]
    next_page_token: str
    def __init__(self, billing_runs: _Optional[_Iterable[_Union[_billing_run_pb2.BillingRun, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
