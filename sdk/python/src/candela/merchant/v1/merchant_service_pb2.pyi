from candela.merchant.v1 import merchant_pb2 as _merchant_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetMerchantRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: _merchant_pb2.Merchant
    def __init__(self, merchant: _Optional[_Union[_merchant_pb2.Merchant, _Mapping]] = ...) -> None: ...

class UpdateMerchantRequest(_message.Message):
    __slots__ = ("idempotency_key", "name", "time_zone", "default_currency", "settings", "expected_version", "test_clock_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    TEST_CLOCK_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    name: str
    time_zone: str
    default_currency: str
    settings: _merchant_pb2.MerchantSettings
    expected_version: int
    test_clock_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., name: _Optional[str] = ..., time_zone: _Optional[str] = ..., default_currency: _Optional[str] = ..., settings: _Optional[_Union[_merchant_pb2.MerchantSettings, _Mapping]] = ..., expected_version: _Optional[int] = ..., test_clock_id: _Optional[str] = ...) -> None: ...

class UpdateMerchantResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: _merchant_pb2.Merchant
    def __init__(self, merchant: _Optional[_Union[_merchant_pb2.Merchant, _Mapping]] = ...) -> None: ...
