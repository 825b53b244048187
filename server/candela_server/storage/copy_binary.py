"""PostgreSQL's binary forms, made by hand for the one writer that is fast enough to need them.

COPY … (FORMAT BINARY) spares the server the parsing and us the escaping. Each field is its length in four bytes and
then its content; these functions return both, so that fields which repeat can be kept and joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from struct import Struct
from typing import Final

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"

POSTGRES_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z in microseconds since 1970: PostgreSQL counts instants from there."""

INT8_OID: Final = 20
TEXT_OID: Final = 25
TIMESTAMPTZ_OID: Final = 1184
NUMERIC_OID: Final = 1700
UUID_OID: Final = 2950
JSONB_OID: Final = 3802

_length = Struct(">i").pack
_numeric_head = Struct(">ihhHh").pack
_array_head = Struct(">iiIii").pack
_int8_element = Struct(">iq").pack
_uuid_length: Final = b"\x00\x00\x00\x10"
_int8_length: Final = b"\x00\x00\x00\x08"
_jsonb_version: Final = b"\x01"
_NEGATIVE: Final = 0x4000

pack_timestamp: Final = Struct(">iq").pack
"""`timestamp_field` with a call less: takes 8, its length, and microseconds since POSTGRES_EPOCH_US."""

_POSTGRES_EPOCH_DAY: Final = date(2000, 1, 1).toordinal()


def day_number(day: date) -> int:
    """A date, as a field of four bytes holds it."""
    return day.toordinal() - _POSTGRES_EPOCH_DAY


def field_count(count: int) -> bytes:
    """What each row of a COPY begins with."""
    return count.to_bytes(2, "big")


def text_field(text: str) -> bytes:
    """A text."""
    content = text.encode()
    return _length(len(content)) + content


def jsonb_field(content: bytes) -> bytes:
    """A jsonb document, given as UTF-8 text."""
    return _length(len(content) + 1) + _jsonb_version + content


def timestamp_field(microseconds: int) -> bytes:
    """An instant, given in microseconds since 1970."""
    return pack_timestamp(8, microseconds - POSTGRES_EPOCH_US)


def numeric_field(text: str) -> bytes:
    """A plain decimal such as "-12.50", with its own scale. The text has been checked before."""
    negative = text[0] == "-"
    whole, _, fraction = text.lstrip("-").partition(".")
    scale = len(fraction)
    whole = whole.lstrip("0")
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    fraction = fraction.ljust(-(-scale // 4) * 4, "0")
    weight = len(whole) // 4 - 1
    padded = whole + fraction
    digits = [int(padded[start : start + 4]) for start in range(0, len(padded), 4)]
    while digits and digits[0] == 0:
        digits.pop(0)
        weight -= 1
    while digits and digits[-1] == 0:
        digits.pop()
    if not digits:
        negative, weight = False, 0
    head = _numeric_head(
        8 + 2 * len(digits), len(digits), weight, _NEGATIVE if negative else 0, scale
    )
    return head + b"".join(digit.to_bytes(2, "big") for digit in digits)


def array_of_fields(fields: Iterable[bytes], count: int, element_oid: int) -> bytes:
    """A one-dimensional array as a parameter, of elements that are fields; some may be NULL."""
    return _array_head(1, 1, element_oid, count, 1) + b"".join(fields)


def uuid_array(elements: Iterable[bytes], count: int) -> bytes:
    """A one-dimensional uuid[] as a parameter."""
    content = _uuid_length + _uuid_length.join(elements) if count else b""
    return _array_head(1, 0, UUID_OID, count, 1) + content


def int8_array(elements: Iterable[int], count: int) -> bytes:
    """A one-dimensional bigint[] as a parameter."""
    return _array_head(1, 0, INT8_OID, count, 1) + b"".join(
        [_int8_element(8, element) for element in elements]
    )


def int8_array_of_bytes(elements: Iterable[bytes], count: int) -> bytes:
    """The same of elements that are in eight bytes each already."""
    content = _int8_length + _int8_length.join(elements) if count else b""
    return _array_head(1, 0, INT8_OID, count, 1) + content


def timestamp_array(microseconds: Iterable[int], count: int) -> bytes:
    """A one-dimensional timestamptz[] as a parameter, given in microseconds since 1970."""
    return _array_head(1, 0, TIMESTAMPTZ_OID, count, 1) + b"".join(
        [pack_timestamp(8, one - POSTGRES_EPOCH_US) for one in microseconds]
    )


def uuids_from_array(content: bytes) -> list[bytes]:
    """The elements of a one-dimensional uuid[] without nulls, as a binary result carries it."""
    return [content[start + 4 : start + 20] for start in range(20, len(content), 20)]
