"""Arrays as parameters of psycopg's statements, in PostgreSQL's own forms: a flush sends very many elements."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from . import copy_binary


class UuidArray:
    """A uuid[] parameter that is in PostgreSQL's binary form already."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, elements: Sequence[bytes]) -> None:
        self.content = copy_binary.uuid_array(elements, len(elements))


class Int8Array:
    """A bigint[] parameter that is in PostgreSQL's binary form already."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, elements: Sequence[int]) -> None:
        self.content = copy_binary.int8_array(elements, len(elements))


class InstantArray:
    """A timestamptz[] parameter that is in PostgreSQL's binary form already, given in microseconds since 1970."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, microseconds: Sequence[int]) -> None:
        self.content = copy_binary.timestamp_array(microseconds, len(microseconds))


class _InstantArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1185

    def dump(self, obj: InstantArray) -> bytes:
        return obj.content


class Fields:
    """An array parameter whose elements are fields as COPY takes them: in an array they have the same form."""

    __slots__ = ("content",)
    content: bytes
    element_oid: ClassVar[int]

    def __init__(self, fields: Sequence[bytes]) -> None:
        self.content = copy_binary.array_of_fields(fields, len(fields), self.element_oid)


class TextFields(Fields):
    """A text[]."""

    __slots__ = ()
    element_oid = copy_binary.TEXT_OID


class NumericFields(Fields):
    """A numeric[]."""

    __slots__ = ()
    element_oid = copy_binary.NUMERIC_OID


class InstantFields(Fields):
    """A timestamptz[]."""

    __slots__ = ()
    element_oid = copy_binary.TIMESTAMPTZ_OID


class JsonbFields(Fields):
    """A jsonb[]."""

    __slots__ = ()
    element_oid = copy_binary.JSONB_OID


class _FieldsDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Fields) -> bytes:
        return obj.content


class _TextFieldsDumper(_FieldsDumper):
    oid = 1009


class _NumericFieldsDumper(_FieldsDumper):
    oid = 1231


class _InstantFieldsDumper(_FieldsDumper):
    oid = 1185


class _JsonbFieldsDumper(_FieldsDumper):
    oid = 3807


class _UuidArrayDumper(Dumper):
    format = Format.BINARY
    oid = 2951

    def dump(self, obj: UuidArray) -> bytes:
        return obj.content


class _Int8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Int8Array) -> bytes:
        return obj.content


def ids(values: Sequence[str]) -> str:
    """A text[] of ids of our own making, which need no escaping; psycopg would look at every character."""
    return '{"' + '","'.join(values) + '"}'


def numbers(values: Sequence[Decimal]) -> str:
    """A numeric[]."""
    return "{" + ",".join([format(number, "f") for number in values]) + "}"


# Before any pool connects: each connection takes over what is registered at that time.
psycopg.adapters.register_dumper(UuidArray, _UuidArrayDumper)
psycopg.adapters.register_dumper(Int8Array, _Int8ArrayDumper)
psycopg.adapters.register_dumper(InstantArray, _InstantArrayDumper)
psycopg.adapters.register_dumper(TextFields, _TextFieldsDumper)
psycopg.adapters.register_dumper(NumericFields, _NumericFieldsDumper)
psycopg.adapters.register_dumper(InstantFields, _InstantFieldsDumper)
psycopg.adapters.register_dumper(JsonbFields, _JsonbFieldsDumper)
