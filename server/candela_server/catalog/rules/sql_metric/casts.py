"""Casts, made safe: what is no number of the wanted form gives NULL instead of an error that would show it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from .allowed import CASTS, FLOATS, INTEGERS
from .nodes import offset_of, require_only, strings
from .tree import Expression, SqlRefusedError, Type

_SQL_TYPES: Final = {
    Type.NUMBER: "numeric",
    Type.TEXT: "text",
    Type.BOOLEAN: "boolean",
    Type.INSTANT: "timestamptz",
}

PLAIN_NUMBER: Final = r"^-?[0-9]{1,38}(\.[0-9]{1,38})?$"
"""What a text must look like to be a number: as an event's value, so neither NaN nor 1e9999."""


def cast(found: Expression, type_name: Any) -> Expression:
    """`found` as the named type. Raises SqlRefusedError."""
    require_only(type_name, "names", "typemod")
    offset, names = offset_of(type_name), strings(type_name["names"])
    if len(names) == 2 and names[0] == "pg_catalog":
        names = names[1:]  # how the parser writes the standard's own types
    name = ".".join(names)
    if name in FLOATS:
        raise SqlRefusedError(f"a cast to {name}", "is not exact; cast to numeric", offset)
    if name in INTEGERS:
        raise SqlRefusedError(
            f"a cast to {name}", "is not allowed; cast to numeric, and round() if need be", offset
        )
    wanted = CASTS.get(name) if len(names) == 1 else None
    if wanted is None or type_name.get("typemod", -1) != -1:
        raise SqlRefusedError(
            f"a cast to {name[:100]}", f"is not allowed; {', '.join(sorted(CASTS))} are", offset
        )
    if wanted is Type.INSTANT and found.literal is not None:
        return _midnight(instant(found), name)
    if found.type is wanted:
        return _midnight(found, name) if wanted is Type.INSTANT else replace(found, literal=None)
    match found.type, wanted:
        case Type.TEXT, Type.NUMBER:
            return _number(found)
        case Type.TEXT, Type.BOOLEAN:
            sql = f"(CASE {found.sql} WHEN 'true' THEN true WHEN 'false' THEN false END)"
        case (Type.NUMBER, Type.TEXT):
            sql = f"trim_scale({found.sql})::text"
        case (Type.BOOLEAN, Type.TEXT):
            sql = f"({found.sql})::text"
        case (Type.NULL, _):
            sql = f"NULL::{_SQL_TYPES[wanted]}"
        case _:
            raise SqlRefusedError(
                f"a cast from {found.type.value} to {name}", "is not allowed", offset
            )
    return replace(found, sql=sql, type=wanted, literal=None, weight=1, aggregate=None)


def instant(found: Expression) -> Expression:
    """A text constant as the instant that it names, in UTC unless it says otherwise."""
    assert found.literal is not None, (
        "only constants are read here; stored texts are never instants"
    )
    try:
        named = datetime.fromisoformat(found.literal)
    except ValueError as error:
        raise SqlRefusedError(
            repr(found.literal[:50]),
            "is no date or time as in ISO 8601, such as 2026-01-31T15:00:00Z",
            found.offset,
        ) from error
    named = named.replace(tzinfo=UTC) if named.tzinfo is None else named
    try:
        text = named.astimezone(UTC).isoformat()
    except OverflowError as error:
        raise SqlRefusedError(repr(found.literal[:50]), "is too far away", found.offset) from error
    return replace(found, sql=f"'{text}'::timestamptz", type=Type.INSTANT, literal=None, weight=0)


def _midnight(found: Expression, name: str) -> Expression:
    """An instant cast to date is the beginning of its day in UTC."""
    if name != "date":
        return replace(found, literal=None)
    return replace(
        found, sql=f"date_trunc('day', {found.sql}, 'UTC')", literal=None, aggregate=None
    )


def _number(found: Expression) -> Expression:
    if found.literal is not None:
        if not re.fullmatch(PLAIN_NUMBER[1:-1], found.literal, re.ASCII):
            raise SqlRefusedError(repr(found.literal[:50]), "is no plain number", found.offset)
        sql = f"({format(Decimal(found.literal), 'f')})::numeric"
        return replace(found, sql=sql, type=Type.NUMBER, literal=None, weight=0)
    sql = f"(CASE WHEN {found.sql} ~ '{PLAIN_NUMBER}' THEN ({found.sql})::numeric END)"
    return replace(found, sql=sql, type=Type.NUMBER, literal=None, weight=0, aggregate=None)
