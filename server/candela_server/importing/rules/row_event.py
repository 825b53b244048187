"""What a row of a usage file means: its columns, its instant, its properties, and its key when it has none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from candela_server.importing.model import (
    ImportedEvent,
    ImportFileError,
    ImportOptions,
    Row,
    RowError,
)

FIELDS: Final = (
    "idempotency_key",
    "name",
    "customer_id",
    "external_customer_id",
    "user_id",
    "external_user_id",
    "value",
    "timestamp",
    "properties",
)
_KNOWN: Final = ", ".join((*FIELDS, "properties.NAME"))
_WHO: Final = FIELDS[2:6]
_PROPERTY: Final = "properties."
_TYPES: Final = (":number", ":boolean")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_UNIX: Final = re.compile(r"-?[0-9]{1,11}(?:\.[0-9]{1,9})?")
_MAX_PLAIN: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def check_mapping(columns: Mapping[str, str]) -> None:
    """Raises ImportFileError when a column is mapped to what is no field."""
    for column, wanted in columns.items():
        if not _is_field(wanted):
            raise ImportFileError(
                f"--map '{column}={wanted}': {wanted!r} is no field. Fields: {_KNOWN}"
            )


def field_of(column: str, options: ImportOptions) -> str:
    """The field that a column means, "" when it is left out. Raises ImportFileError for one that means nothing."""
    wanted = options.columns.get(column, column)
    if column and _is_field(wanted):
        return wanted
    raise ImportFileError(
        f"column {column!r} means no field of an event; name it with --map '{column}=FIELD', or leave it out with"
        f" --map '{column}='. Fields: {_KNOWN}"
    )


def _is_field(wanted: str) -> bool:
    return (
        wanted == "" or wanted in FIELDS or (wanted.startswith(_PROPERTY) and wanted != _PROPERTY)
    )


def check_columns(columns: Iterable[str], options: ImportOptions) -> list[str]:
    """The field of each column of a header. Raises ImportFileError when no row of it could become an event."""
    columns = list(columns)
    fields = [field_of(column, options) for column in columns]
    for column in options.columns:
        if column not in columns:
            raise ImportFileError(f"--map names the column {column!r}, and the header has none")
    used = [one.removesuffix(":number").removesuffix(":boolean") for one in fields if one]
    for one in used:
        if used.count(one) > 1:
            raise ImportFileError(f"two columns mean {one}; leave one out with --map 'COLUMN='")
    if "name" not in used and not options.name:
        raise ImportFileError("no column means name; map one with --map, or give --name")
    if not any(one in used for one in _WHO):
        raise ImportFileError(f"no column says whose usage it is; map one to {', '.join(_WHO)}")
    return fields


def event_of_row(
    row: Row, options: ImportOptions, digest_of_file: Callable[[], bytes]
) -> ImportedEvent:
    """The event that a row is. Raises RowError.

    A row without a key is given one made of its line number and its bytes, so that importing it again counts nothing
    again, while another row may say the same. Without a timestamp the digest of the whole file goes in too: the same
    line of next month's file may be equal, and nothing in it would tell them apart.
    """
    assert row.values is not None, "a row that cannot be read is no event"
    texts: dict[str, str] = {}
    properties: dict[str, Any] = {}
    value: str | None = None
    for field, content in row.values.items():
        if content is None:
            continue
        if field.startswith(_PROPERTY):
            _add_property(properties, field, content)
        elif field == "properties":
            properties.update(_properties_of(content))
        elif field == "value":
            value = _text(field, content)
        else:
            texts[field] = _text(field, content)
    timestamp = texts.pop("timestamp", "")
    happened_us = instant_us(timestamp) if timestamp else None
    key = texts.pop("idempotency_key", "")
    return ImportedEvent(
        idempotency_key=key or _key_of(row, options, b"" if timestamp else digest_of_file()),
        name=texts.pop("name", "") or options.name,
        value=value,
        timestamp_us=happened_us,
        properties_json=_encode(properties) if properties else b"",
        **texts,
    )


def instant_us(text: str) -> int:
    """The instant in microseconds since 1970. Raises RowError for anything that leaves its zone or unit open."""
    if _UNIX.fullmatch(text):
        return int(Decimal(text) * 1_000_000)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise RowError(
            "timestamp",
            f"{text[:40]!r} is neither RFC 3339, such as 2026-01-31T15:00:00Z, nor whole or decimal seconds"
            " since 1970",
        ) from None
    if instant.tzinfo is None:
        raise RowError("timestamp", f"{text[:40]!r} has no zone; end it with Z or an offset")
    return (instant - _EPOCH) // _MICROSECOND


def _key_of(row: Row, options: ImportOptions, digest: bytes) -> str:
    hashed = blake2b(digest_size=16, person=b"candela-import")
    for part in (options.source.encode(), str(row.line).encode(), digest, row.content):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return f"row-{hashed.hexdigest()}"


def _text(field: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Decimal):
        return _plain(content)
    raise RowError(field, f"{field} is neither a text nor a number")


def _add_property(properties: dict[str, Any], field: str, content: Any) -> None:
    name = field.removeprefix(_PROPERTY)
    kind = next((one for one in _TYPES if name.endswith(one)), "")
    name = name.removesuffix(kind)
    if content == "":
        return
    if not kind:
        properties[name] = content
    elif kind == ":number":
        if not isinstance(content, str) or not _NUMBER.fullmatch(content):
            raise RowError(field, f"{str(content)[:40]!r} is not a plain number")
        properties[name] = Decimal(content)
    elif content in ("true", "false"):
        properties[name] = content == "true"
    else:
        raise RowError(field, f"{str(content)[:40]!r} is neither true nor false")


def _properties_of(content: Any) -> Mapping[str, Any]:
    if content == "":
        return {}
    if isinstance(content, str):
        try:
            content = read_json(content)
        except ValueError as error:
            raise RowError("properties", f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise RowError("properties", "not a JSON object")
    return content


def read_json(text: str) -> Any:
    """A JSON document, its numbers as exact decimals. Raises ValueError."""
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _encode(properties: Mapping[str, Any]) -> bytes:
    """A flat JSON object, its numbers with the digits they had."""
    parts = []
    for name, value in properties.items():
        if isinstance(value, Decimal):
            encoded = _plain(value)
        elif isinstance(value, str | bool):
            encoded = json.dumps(value, ensure_ascii=False)
        else:
            raise RowError(
                f"properties.{name}", "neither a text, a number nor a boolean; properties are flat"
            )
        parts.append(f"{json.dumps(name, ensure_ascii=False)}:{encoded}")
    try:
        return ("{" + ",".join(parts) + "}").encode()
    except UnicodeEncodeError:
        raise RowError("properties", "a text holds half of a surrogate pair") from None


def _plain(number: Decimal) -> str:
    """A JSON number with the digits it had; one that is far out of bounds is left to the server to refuse."""
    return format(number, "f") if abs(number.adjusted()) < _MAX_PLAIN else str(number)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


_decoder: Final = json.JSONDecoder(
    parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant
)
