from candela.catalog.v1 import pricing_table_pb2 as _pricing_table_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePricingTableRequest(_message.Message):
    __slots__ = ("idempotency_key", "slug", "name", "rows")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    slug: str
    name: str
    rows: _containers.RepeatedCompositeFieldContainer[_pricing_table_pb2.PricingTableRow]
    def __init__(self, idempotency_key: _Optional[str] = ..., slug: _Optional[str] = ..., name: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_pricing_table_pb2.PricingTableRow, _Mapping]]] = ...) -> None: ...

class CreatePricingTableResponse(_message.Message):
    __slots__ = ("pricing_table",)
    PRICING_TABLE_FIELD_NUMBER: _ClassVar[int]
    pricing_table: _pricing_table_pb2.PricingTable
    def __init__(self, pricing_table: _Optional[_Union[_pricing_table_pb2.PricingTable, _Mapping]] = ...) -> None: ...

class GetPricingTableRequest(_message.Message):
    __slots__ = ("pricing_table_id",)
    PRICING_TABLE_ID_FIELD_NUMBER: _ClassVar[int]
    pricing_table_id: str
    def __init__(self, pricing_table_id: _Optional[str] = ...) -> None: ...

class GetPricingTableResponse(_message.Message):
    __slots__ = ("pricing_table",)
    PRICING_TABLE_FIELD_NUMBER: _ClassVar[int]
    pricing_table: _pricing_table_pb2.PricingTable
    def __init__(self, pricing_table: _Optional[_Union[_pricing_table_pb2.PricingTable, _Mapping]] = ...) -> None: ...

class ListPricingTablesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPricingTablesResponse(_message.Message):
    __slots__ = ("pricing_tables", "next_page_token")
    PRICING_TABLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pricing_tables: _containers.RepeatedCompositeFieldContainer[_pricing_table_pb2.PricingTable]
    next_page_token: str
    def __init__(self, pricing_tables: _Optional[_Iterable[_Union[_pricing_table_pb2.PricingTable, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdatePricingTableRequest(_message.Message):
    __slots__ = ("idempotency_key", "pricing_table_id", "name", "rows")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PRICING_TABLE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    pricing_table_id: str
    name: str
    rows: PricingTableRows
    def __init__(self, idempotency_key: _Optional[str] = ..., pricing_table_id: _Optional[str] = ..., name: _Optional[str] = ..., rows: _Optional[_Union[PricingTableRows, _Mapping]] = ...) -> None: ...

class PricingTableRows(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_pricing_table_pb2.PricingTableRow]
    def __init__(self, values: _Optional[_Iterable[_Union[_pricing_table_pb2.PricingTableRow, _Mapping]]] = ...) -> None: ...

class UpdatePricingTableResponse(_message.Message):
    __slots__ = ("pricing_table",)
    PRICING_TABLE_FIELD_NUMBER: _ClassVar[int]
    pricing_table: _pricing_table_pb2.PricingTable
    def __init__(self, pricing_table: _Optional[_Union[_pricing_table_pb2.PricingTable, _Mapping]] = ...) -> None: ...

class ArchivePricingTableRequest(_message.Message):
    __slots__ = ("idempotency_key", "pricing_table_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PRICING_TABLE_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    pricing_table_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., pricing_table_id: _Optional[str] = ...) -> None: ...

class ArchivePricingTableResponse(_message.Message):
    __slots__ = ("pricing_table",)
    PRICING_TABLE_FIELD_NUMBER: _ClassVar[int]
    pricing_table: _pricing_table_pb2.PricingTable
    def __init__(self, pricing_table: _Optional[_Union[_pricing_table_pb2.PricingTable, _Mapping]] = ...) -> None: ...

class GetPublicPricingTableRequest(_message.Message):
    __slots__ = ("slug",)
    SLUG_FIELD_NUMBER: _ClassVar[int]
    slug: str
    def __init__(self, slug: _Optional[str] = ...) -> None: ...

class GetPublicPricingTableResponse(_message.Message):
    __slots__ = ("pricing_table",)
    PRICING_TABLE_FIELD_NUMBER: _ClassVar[int]
    pricing_table: _pricing_table_pb2.PublicPricingTable
    def __init__(self, pricing_table: _Optional[_Union[_pricing_table_pb2.PublicPricingTable, _Mapping]] = ...) -> None: ...
