from candela.customer.v1 import customer_pb2 as _customer_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaxMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAX_MODE_UNSPECIFIED: _ClassVar[TaxMode]
    TAX_MODE_NONE: _ClassVar[TaxMode]
    TAX_MODE_AUTOMATIC: _ClassVar[TaxMode]
    TAX_MODE_DEFAULT_RATE: _ClassVar[TaxMode]
    TAX_MODE_MANUAL_RATES: _ClassVar[TaxMode]
TAX_MODE_UNSPECIFIED: TaxMode
TAX_MODE_NONE: TaxMode
TAX_MODE_AUTOMATIC: TaxMode
TAX_MODE_DEFAULT_RATE: TaxMode
TAX_MODE_MANUAL_RATES: TaxMode

class TaxSettings(_message.Message):
    __slots__ = ("mode", "default_percent", "rates", "us_nexus_states", "prices_include_tax", "seller_country", "seller_tax_id", "default_name", "version", "seller_address", "seller_business_name")
    MODE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    US_NEXUS_STATES_FIELD_NUMBER: _ClassVar[int]
    PRICES_INCLUDE_TAX_FIELD_NUMBER: _ClassVar[int]
    SELLER_COUNTRY_FIELD_NUMBER: _ClassVar[int]
    SELLER_TAX_ID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SELLER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SELLER_BUSINESS_NAME_FIELD_NUMBER: _ClassVar[int]
    mode: TaxMode
    default_percent: str
    rates: _containers.RepeatedCompositeFieldContainer[TaxRate]
    us_nexus_states: _containers.RepeatedScalarFieldContainer[str]
    prices_include_tax: bool
    seller_country: str
    seller_tax_id: str
    default_name: str
    version: int
    seller_address: _customer_pb2.Address
    seller_business_name: str
    def __init__(self, mode: _Optional[_Union[TaxMode, str]] = ..., default_percent: _Optional[str] = ..., rates: _Optional[_Iterable[_Union[TaxRate, _Mapping]]] = ..., us_nexus_states: _Optional[_Iterable[str]] = ..., prices_include_tax: _Optional[bool] = ..., seller_country: _Optional[str] = ..., seller_tax_id: _Optional[str] = ..., default_name: _Optional[str] = ..., version: _Optional[int] = ..., seller_address: _Optional[_Union[_customer_pb2.Address, _Mapping]] = ..., seller_business_name: _Optional[str] = ...) -> None: ...

class TaxRate(_message.Message):
    __slots__ = ("country", "region", "name", "percent")
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    country: str
    region: str
    name: str
    percent: str
    def __init__(self, country: _Optional[str] = ..., region: _Optional[str] = ..., name: _Optional[str] = ..., percent: _Optional[str] = ...) -> None: ...
