from candela.billing.v1 import tax_pb2 as _tax_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTaxSettingsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTaxSettingsResponse(_message.Message):
    __slots__ = ("tax_settings",)
    TAX_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    tax_settings: _tax_pb2.TaxSettings
    def __init__(self, tax_settings: _Optional[_Union[_tax_pb2.TaxSettings, _Mapping]] = ...) -> None: ...

class UpdateTaxSettingsRequest(_message.Message):
    __slots__ = ("idempotency_key", "tax_settings", "expected_version")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    TAX_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    tax_settings: _tax_pb2.TaxSettings
    expected_version: int
    def __init__(self, idempotency_key: _Optional[str] = ..., tax_settings: _Optional[_Union[_tax_pb2.TaxSettings, _Mapping]] = ..., expected_version: _Optional[int] = ...) -> None: ...

class UpdateTaxSettingsResponse(_message.Message):
    __slots__ = ("tax_settings",)
    TAX_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    tax_settings: _tax_pb2.TaxSettings
    def __init__(self, tax_settings: _Optional[_Union[_tax_pb2.TaxSettings, _Mapping]] = ...) -> None: ...
