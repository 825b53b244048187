"""A query as it was understood: nothing of the merchant's own text is in it but names and literals, quoted anew.

What the allow-list does not know cannot be said here, so it cannot reach a database either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

MAX_RENDERED = 50_000
"""Characters of one expression as it is given to the database; a safe cast names its argument twice."""


class SqlRefusedError(ValueError):
    """The query uses something that is not allowed: `construct`, which begins at byte `offset` of it."""

    def __init__(self, construct: str, reason: str, offset: int | None = None) -> None:
        super().__init__(f"{construct}: {reason}")
        self.construct = construct
        self.reason = reason
        self.offset = offset


class Type(Enum):
    """What an expression gives. There are no binary floats and no integers: every number is an exact decimal."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "a truth value"
    INSTANT = "an instant"
    PROPERTIES = "the properties"
    NULL = "NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One aggregate function over rows: what the indexed flavour takes apart."""

    function: str
    argument: str | None
    argument_type: Type
    distinct: bool
    condition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A part of the query as it is given to the database.

    `loose` says that it names a column outside of an aggregate; `literal` is the text of a string constant, `weight`
    how many stored texts it is as long as; `aggregate` is set when it is one aggregate and nothing more.
    """

    sql: str
    type: Type
    offset: int | None
    aggregates: bool = False
    loose: bool = False
    literal: str | None = None
    weight: int = 0
    aggregate: Aggregate | None = None

    def __post_init__(self) -> None:
        if len(self.sql) > MAX_RENDERED:
            raise SqlRefusedError("the expression", "is too complex; make it shorter", self.offset)

    def grouped(self) -> Self:
        """The same as a grouping column, which has one value per group."""
        return replace(self, loose=False)


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a select."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """A select over the events (`source` is None) or over another select. Conditions are rendered already."""

    outputs: tuple[Output, ...]
    source: Select | None
    distinct: bool
    where: str | None
    group_by: tuple[str, ...]
    having: str | None


def quoted(text: str) -> str:
    """A string constant; connections keep standard_conforming_strings on, so that only quotes need doubling."""
    if "\x00" in text:
        raise SqlRefusedError("a text", "holds a NUL")
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'
