"""Arrays as parameters of psycopg's statements, in PostgreSQL's own forms: a flush sends very many elements."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from . import copy_binary


class BinaryArray:
    """An array parameter that is in PostgreSQL's binary form already."""

    __slots__ = ("content",)
    content: bytes
    array_oid: ClassVar[int]


class UuidArray(BinaryArray):
    """A uuid[]."""

    __slots__ = ()
    array_oid = 2951

    def __init__(self, elements: Sequence[bytes]) -> None:
        self.content = copy_binary.uuid_array(elements, len(elements))


class Int8Array(BinaryArray):
    """A bigint[]."""

    __slots__ = ()
    array_oid = 1016

    def __init__(self, elements: Sequence[int]) -> None:
        self.content = copy_binary.int8_array(elements, len(elements))


class Int8Bytes(BinaryArray):
    """A bigint[] of elements that are in eight bytes each already."""

    __slots__ = ()
    array_oid = 1016

    def __init__(self, elements: Sequence[bytes]) -> None:
        self.content = copy_binary.int8_array_of_bytes(elements, len(elements))


class InstantArray(BinaryArray):
    """A timestamptz[], given in microseconds since 1970."""

    __slots__ = ()
    array_oid = 1185

    def __init__(self, microseconds: Sequence[int]) -> None:
        self.content = copy_binary.timestamp_array(microseconds, len(microseconds))


class FieldArray(BinaryArray):
    """An array whose elements are fields as COPY takes them: in an array they have the same form."""

    __slots__ = ()
    element_oid: ClassVar[int]

    def __init__(self, fields: Sequence[bytes]) -> None:
        self.content = copy_binary.array_of_fields(fields, len(fields), self.element_oid)


class TextFields(FieldArray):
    """A text[]."""

    __slots__ = ()
    array_oid, element_oid = 1009, copy_binary.TEXT_OID


class NumericFields(FieldArray):
    """A numeric[]."""

    __slots__ = ()
    array_oid, element_oid = 1231, copy_binary.NUMERIC_OID


class InstantFields(FieldArray):
    """A timestamptz[]."""

    __slots__ = ()
    array_oid, element_oid = 1185, copy_binary.TIMESTAMPTZ_OID


class JsonbFields(FieldArray):
    """A jsonb[]."""

    __slots__ = ()
    array_oid, element_oid = 3807, copy_binary.JSONB_OID


def ids(values: Sequence[str]) -> str:
    """A text[] of ids of our own making, which need no escaping; psycopg would look at every character."""
    return '{"' + '","'.join(values) + '"}'


def numbers(values: Sequence[Decimal]) -> str:
    """A numeric[]."""
    return "{" + ",".join([format(number, "f") for number in values]) + "}"


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: BinaryArray) -> bytes:
        return obj.content


# Before any pool connects: each connection takes over what is registered at that time.
for _kind in (
    UuidArray,
    Int8Array,
    Int8Bytes,
    InstantArray,
    TextFields,
    NumericFields,
    InstantFields,
    JsonbFields,
):
    psycopg.adapters.register_dumper(
        _kind, type(f"_{_kind.__name__}Dumper", (_Dumper,), {"oid": _kind.array_oid})
    )
