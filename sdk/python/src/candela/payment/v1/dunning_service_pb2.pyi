from candela.payment.v1 import dunning_pb2 as _dunning_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetDunningPolicyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDunningPolicyResponse(_message.Message):
    __slots__ = ("dunning_policy",)
    DUNNING_POLICY_FIELD_NUMBER: _ClassVar[int]
    dunning_policy: _dunning_pb2.DunningPolicy
    def __init__(self, dunning_policy: _Optional[_Union[_dunning_pb2.DunningPolicy, _Mapping]] = ...) -> None: ...

class UpdateDunningPolicyRequest(_message.Message):
    __slots__ = ("idempotency_key", "dunning_policy")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DUNNING_POLICY_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    dunning_policy: _dunning_pb2.DunningPolicy
    def __init__(self, idempotency_key: _Optional[str] = ..., dunning_policy: _Optional[_Union[_dunning_pb2.DunningPolicy, _Mapping]] = ...) -> None: ...

class UpdateDunningPolicyResponse(_message.Message):
    __slots__ = ("dunning_policy",)
    DUNNING_POLICY_FIELD_NUMBER: _ClassVar[int]
    dunning_policy: _dunning_pb2.DunningPolicy
    def __init__(self, dunning_policy: _Optional[_Union[_dunning_pb2.DunningPolicy, _Mapping]] = ...) -> None: ...
