"""A metric's SQL from text to meaning, and what of it can be kept up to date by quarter-hours (EVT-6).

The indexed flavour takes one aggregate straight over the events, whose parts add up exactly: count, sum, min, max and
count(DISTINCT …), with WHERE and FILTER. Anything else over quarter-hours would be another number than over the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .nodes import parse_statement
from .selects import read_query
from .tree import Aggregate, Select, SqlRefusedError, Type

INDEXED_FUNCTIONS: Final = ("count", "sum", "min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlQuery:
    """What a metric's query means."""

    select: Select
    names_read: bool
    """Whether the query looks at the events' names."""


@lru_cache(maxsize=1024)
def read_sql(query: str) -> SqlQuery:
    """What the query means. Raises SqlRefusedError."""
    select = read_query(parse_statement(query))
    return SqlQuery(select=select, names_read='"name"' in _innermost_texts(select))


def indexed_aggregate(query: SqlQuery) -> Aggregate:
    """The one aggregate that an indexed metric keeps by quarter-hour. Raises SqlRefusedError."""
    select = query.select
    output = select.outputs[0].expression
    if select.source is not None:
        raise SqlRefusedError("a sub-select", "cannot be indexed: its rows may span quarter-hours")
    kept = output.aggregate
    if kept is None:
        raise SqlRefusedError(
            "the expression",
            "cannot be indexed: it must be one aggregate and nothing around it",
            output.offset,
        )
    if kept.function not in INDEXED_FUNCTIONS:
        raise SqlRefusedError(
            f"{kept.function}()",
            "cannot be indexed: it does not add up over quarter-hours; count, sum, min, max and count(DISTINCT …) do",
            output.offset,
        )
    assert output.type is Type.NUMBER, "a query gives a number"
    return kept


def position(query: str, offset: int) -> int:
    """The character, counted from 1, at a byte of the query."""
    return len(query.encode()[:offset].decode(errors="ignore")) + 1


def _innermost_texts(select: Select) -> str:
    """What is said of the events themselves."""
    while select.source is not None:
        select = select.source
    texts = [one.expression.sql for one in select.outputs]
    return " ".join([*texts, select.where or "", *select.group_by, select.having or ""])
