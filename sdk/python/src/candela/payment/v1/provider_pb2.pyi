import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_UNSPECIFIED: _ClassVar[Provider]
    PROVIDER_MANUAL: _ClassVar[Provider]
    PROVIDER_STRIPE: _ClassVar[Provider]
    PROVIDER_DODO: _ClassVar[Provider]
PROVIDER_UNSPECIFIED: Provider
PROVIDER_MANUAL: Provider
PROVIDER_STRIPE: Provider
PROVIDER_DODO: Provider

class ProviderConnection(_message.Message):
    __slots__ = ("provider", "account_reference", "webhook_url", "connected_at", "last_webhook_at")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_URL_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_WEBHOOK_AT_FIELD_NUMBER: _ClassVar[int]
    provider: Provider
    account_reference: str
    webhook_url: str
    connected_at: _timestamp_pb2.Timestamp
    last_webhook_at: _timestamp_pb2.Timestamp
    def __init__(self, provider: _Optional[_Union[Provider, str]] = ..., account_reference: _Optional[str] = ..., webhook_url: _Optional[str] = ..., connected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_webhook_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
