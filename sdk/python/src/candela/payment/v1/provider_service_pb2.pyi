from candela.payment.v1 import provider_pb2 as _provider_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConnectStripeRequest(_message.Message):
    __slots__ = ("idempotency_key", "secret_key")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    secret_key: str
    def __init__(self, idempotency_key: _Optional[str] = ..., secret_key: _Optional[str] = ...) -> None: ...

class ConnectStripeResponse(_message.Message):
    __slots__ = ("provider_connection",)
    PROVIDER_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    provider_connection: _provider_pb2.ProviderConnection
    def __init__(self, provider_connection: _Optional[_Union[_provider_pb2.ProviderConnection, _Mapping]] = ...) -> None: ...

class ConnectDodoRequest(_message.Message):
    __slots__ = ("idempotency_key", "api_key", "webhook_secret")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_SECRET_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    api_key: str
    webhook_secret: str
    def __init__(self, idempotency_key: _Optional[str] = ..., api_key: _Optional[str] = ..., webhook_secret: _Optional[str] = ...) -> None: ...

class ConnectDodoResponse(_message.Message):
    __slots__ = ("provider_connection",)
    PROVIDER_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    provider_connection: _provider_pb2.ProviderConnection
    def __init__(self, provider_connection: _Optional[_Union[_provider_pb2.ProviderConnection, _Mapping]] = ...) -> None: ...

class ListProviderConnectionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProviderConnectionsResponse(_message.Message):
    __slots__ = ("provider_connections",)
    PROVIDER_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    provider_connections: _containers.RepeatedCompositeFieldContainer[_provider_pb2.ProviderConnection]
    def __init__(self, provider_connections: _Optional[_Iterable[_Union[_provider_pb2.ProviderConnection, _Mapping]]] = ...) -> None: ...

class DisconnectProviderRequest(_message.Message):
    __slots__ = ("idempotency_key", "provider")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    provider: _provider_pb2.Provider
    def __init__(self, idempotency_key: _Optional[str] = ..., provider: _Optional[_Union[_provider_pb2.Provider, str]] = ...) -> None: ...

class DisconnectProviderResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
