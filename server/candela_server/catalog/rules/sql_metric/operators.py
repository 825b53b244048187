"""Operators, and what all expressions are made with: types that must agree, and texts that stay short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from .allowed import ARITHMETIC, COMPARISONS
from .casts import instant
from .tree import Expression, SqlRefusedError, Type, quoted

MAX_PATTERN: Final = 100
MAX_WEIGHT: Final = 20
"""Stored texts that may be put together into one: 10 kB of it."""

_PATTERNS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}


def number(value: Decimal, offset: int | None) -> Expression:
    """A number constant."""
    return Expression(sql=f"({format(value, 'f')})::numeric", type=Type.NUMBER, offset=offset)


def binary(operator: str, left: Expression, right: Expression, offset: int | None) -> Expression:
    """An operator between two values."""
    if operator in ARITHMETIC:
        require(left, Type.NUMBER, f"what precedes {operator}")
        require(right, Type.NUMBER, f"what follows {operator}")
        return made_of(
            Type.NUMBER, ARITHMETIC[operator].format(left.sql, right.sql), offset, left, right
        )
    if operator in COMPARISONS:
        left, right = alike(left, right, offset)
        return made_of(Type.BOOLEAN, f"({left.sql} {operator} {right.sql})", offset, left, right)
    if operator == "||":
        require(left, Type.TEXT, "what precedes ||")
        require(right, Type.TEXT, "what follows ||")
        if left.weight + right.weight > MAX_WEIGHT:
            raise SqlRefusedError("||", "makes a text that is too long", offset)
        made = made_of(Type.TEXT, f"({left.sql} || {right.sql})", offset, left, right)
        return replace(made, weight=left.weight + right.weight)
    if operator in ("->>", "?"):
        require(left, Type.PROPERTIES, f"what precedes {operator}")
        if right.literal is None:
            raise SqlRefusedError(
                operator, "must be followed by the name of a property in quotes", offset
            )
        sql = f"({left.sql} {operator} {quoted(right.literal)})"
        gives = Type.TEXT if operator == "->>" else Type.BOOLEAN
        return replace(made_of(gives, sql, offset, left), weight=1)
    hint = "; write ->> for a property" if operator == "->" else ""
    raise SqlRefusedError(f"operator {operator[:20]}", f"is not allowed{hint}", offset)


def pattern(operator: str, left: Expression, right: Expression, offset: int | None) -> Expression:
    """LIKE, with a constant pattern: a stored one could be made to be slow."""
    require(left, Type.TEXT, "what precedes LIKE")
    if right.literal is None or len(right.literal) > MAX_PATTERN:
        raise SqlRefusedError(
            "LIKE",
            f"must be followed by a pattern in quotes, of at most {MAX_PATTERN} characters",
            offset,
        )
    backslashes = len(right.literal) - len(right.literal.rstrip("\\"))
    if backslashes % 2:
        raise SqlRefusedError("LIKE", "has a pattern that ends with an escape", offset)
    return made_of(
        Type.BOOLEAN, f"({left.sql} {_PATTERNS[operator]} {quoted(right.literal)})", offset, left
    )


def alike(left: Expression, right: Expression, offset: int | None) -> tuple[Expression, Expression]:
    """Two things that are compared: of one type; a text constant beside an instant is one."""
    if left.type is Type.INSTANT and right.literal is not None:
        right = instant(right)
    elif right.type is Type.INSTANT and left.literal is not None:
        left = instant(left)
    if Type.PROPERTIES in (left.type, right.type):
        raise SqlRefusedError("properties", "cannot be compared; take one with ->>", offset)
    if Type.NULL in (left.type, right.type):
        raise SqlRefusedError("NULL", "equals nothing; ask with IS NULL", offset)
    if left.type is not right.type:
        raise SqlRefusedError(
            "a comparison",
            f"between {left.type.value} and {right.type.value} is not possible; cast one of them",
            offset,
        )
    return left, right


def common(parts: Sequence[Expression], offset: int | None) -> Type:
    """The one type of several values."""
    types = {one.type for one in parts} - {Type.NULL}
    if len(types) > 1 or Type.PROPERTIES in types:
        named = " and ".join(sorted(one.value for one in types))
        raise SqlRefusedError("the values", f"must be of one simple type, not {named}", offset)
    if not types:
        raise SqlRefusedError("NULL", "has no type here; cast it", offset)
    return types.pop()


def require(found: Expression, wanted: Type, place: str) -> Expression:
    """The value, which must be of the wanted type; `place` says where it stands."""
    if found.type is not wanted:
        hint = (
            "; cast it with ::numeric" if (found.type, wanted) == (Type.TEXT, Type.NUMBER) else ""
        )
        raise SqlRefusedError(
            place, f"must be {wanted.value}, not {found.type.value}{hint}", found.offset
        )
    return found


def made_of(kind: Type, sql: str, offset: int | None, *parts: Expression) -> Expression:
    """An expression made of others."""
    return Expression(
        sql=sql,
        type=kind,
        offset=offset,
        aggregates=any(one.aggregates for one in parts),
        loose=any(one.loose for one in parts),
        weight=max((one.weight for one in parts), default=0),
    )
