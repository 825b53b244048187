"""The allow-list: columns, functions, operators and casts, with their types. What is not here is refused.

All of it is pure, immutable, and total: dividing by zero and casting a text that is no number give NULL, as aggregates
over nothing do, so that no event of a customer can make its own invoice fail. Left out on purpose: regular expressions
(they can be made to run for ever), functions that make long texts, floats, the present, and everything that reads
anything but its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .tree import Type

COLUMNS: Final[Mapping[str, Type]] = {
    "name": Type.TEXT,
    "value": Type.NUMBER,
    "timestamp": Type.INSTANT,
    "user_id": Type.TEXT,
    "customer_id": Type.TEXT,
    "idempotency_key": Type.TEXT,
    "properties": Type.PROPERTIES,
}
"""What an event has. The merchant is not among it: there is only one."""

RELATION: Final = "events"


@dataclass(frozen=True, slots=True)
class Literal:
    """An argument that must be a constant: one of `choices`, or any text or whole number between the bounds."""

    choices: frozenset[str] = frozenset()
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives; `template` is how it is rendered, with {0}, {1} … for its arguments."""

    takes: tuple[Type | Literal, ...]
    gives: Type
    template: str


_FIELDS = frozenset(
    [
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "dow",
        "isodow",
        "doy",
        "hour",
        "minute",
        "second",
        "epoch",
    ]
)
_UNITS = frozenset(["minute", "hour", "day", "week", "month", "quarter", "year"])
_PLACES = Literal(least=-20, most=20)
_LENGTH = Literal(least=-10_000, most=10_000)
_N, _T, _I = Type.NUMBER, Type.TEXT, Type.INSTANT

FUNCTIONS: Final[Mapping[str, tuple[Function, ...]]] = {
    "abs": (Function((_N,), _N, "abs({0})"),),
    "ceil": (Function((_N,), _N, "ceil({0})"),),
    "ceiling": (Function((_N,), _N, "ceil({0})"),),
    "floor": (Function((_N,), _N, "floor({0})"),),
    "sign": (Function((_N,), _N, "sign({0})"),),
    "round": (
        Function((_N,), _N, "round({0})"),
        Function((_N, _PLACES), _N, "round({0}, {1})"),
    ),
    "trunc": (
        Function((_N,), _N, "trunc({0})"),
        Function((_N, _PLACES), _N, "trunc({0}, {1})"),
    ),
    "mod": (Function((_N, _N), _N, "mod({0}, nullif({1}, 0))"),),
    "lower": (Function((_T,), _T, "lower({0})"),),
    "upper": (Function((_T,), _T, "upper({0})"),),
    "btrim": (Function((_T,), _T, "btrim({0})"),),
    "length": (Function((_T,), _N, "length({0})::numeric"),),
    "left": (Function((_T, _LENGTH), _T, '"left"({0}, {1})'),),
    "right": (Function((_T, _LENGTH), _T, '"right"({0}, {1})'),),
    "starts_with": (Function((_T, _T), Type.BOOLEAN, "starts_with({0}, {1})"),),
    "split_part": (
        Function((_T, Literal(), Literal(least=1, most=100)), _T, "split_part({0}, {1}, {2})"),
    ),
    "date_trunc": (
        Function((Literal(_UNITS), _I), _I, "date_trunc({0}, {1}, 'UTC')"),
        Function((Literal(_UNITS), _I, Literal()), _I, "date_trunc({0}, {1}, {2})"),
    ),
    "extract": (Function((Literal(_FIELDS), _I), _N, "extract({0} FROM {1} AT TIME ZONE 'UTC')"),),
    "date_part": (
        Function((Literal(_FIELDS), _I), _N, "extract({0} FROM {1} AT TIME ZONE 'UTC')"),
    ),
}
"""Scalar functions by name."""

AGGREGATES: Final[Mapping[str, frozenset[Type]]] = {
    "count": frozenset({Type.NUMBER, Type.TEXT, Type.BOOLEAN, Type.INSTANT}),
    "sum": frozenset({Type.NUMBER}),
    "avg": frozenset({Type.NUMBER}),
    "min": frozenset({Type.NUMBER, Type.INSTANT}),
    "max": frozenset({Type.NUMBER, Type.INSTANT}),
}
"""Aggregate functions, and what they take."""

ARITHMETIC: Final[Mapping[str, str]] = {
    "+": "({0} + {1})",
    "-": "({0} - {1})",
    "*": "({0} * {1})",
    "/": "({0} / nullif({1}, 0))",
    "%": "({0} % nullif({1}, 0))",
}
"""Operators between numbers."""

COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
"""Operators between two things of one type."""

CASTS: Final[Mapping[str, Type]] = {
    "numeric": Type.NUMBER,
    "text": Type.TEXT,
    "varchar": Type.TEXT,
    "bool": Type.BOOLEAN,
    "timestamptz": Type.INSTANT,
    "timestamp": Type.INSTANT,
    "date": Type.INSTANT,
}
"""Types that may be cast to, as the parser names them."""

FLOATS: Final = frozenset({"float4", "float8"})
INTEGERS: Final = frozenset({"int2", "int4", "int8"})
