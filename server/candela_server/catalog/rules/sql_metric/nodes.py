"""The parser's nodes, read so that nothing in them is overlooked: a field that nobody asked for is refused.

Nodes are libpg_query's JSON: {"FuncCall": {"funcname": […], "location": 7}}. Fields at their default are absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import pgparse

from .tree import SqlRefusedError

Fields: TypeAlias = Mapping[str, Any]

MAX_QUERY: Final = 10_000
MAX_NODES: Final = 1_000
"""Nodes of the tree; a tree of ten thousand characters can have more, and none that a person wrote has."""
MAX_DEPTH: Final = 100

_NAMES: Final = {
    "SelectStmt": "a SELECT here",
    "SubLink": "a sub-select in an expression",
    "RangeFunction": "a function in FROM",
    "RangeTableSample": "TABLESAMPLE",
    "JoinExpr": "a join",
    "A_ArrayExpr": "an array",
    "A_Indirection": "a subscript or field",
    "A_Star": "*",
    "RowExpr": "a row",
    "ParamRef": "a parameter",
    "SQLValueFunction": "the present, or who asks",
    "CollateClause": "COLLATE",
    "SetToDefault": "DEFAULT",
    "GroupingSet": "grouping sets",
    "WindowDef": "a window",
    "XmlExpr": "XML",
    "CopyStmt": "COPY",
    "DoStmt": "DO",
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "VariableSetStmt": "SET",
    "VariableShowStmt": "SHOW",
    "CallStmt": "CALL",
    "ExplainStmt": "EXPLAIN",
    "PrepareStmt": "PREPARE",
    "ExecuteStmt": "EXECUTE",
    "TransactionStmt": "a transaction",
    "withClause": "WITH",
    "intoClause": "INTO",
    "lockingClause": "a lock",
    "sortClause": "ORDER BY",
    "limitCount": "LIMIT",
    "limitOffset": "OFFSET",
    "windowClause": "WINDOW",
    "valuesLists": "VALUES",
    "groupDistinct": "GROUP BY DISTINCT",
    "over": "a window",
    "agg_order": "ORDER BY in a function",
    "agg_within_group": "WITHIN GROUP",
    "func_variadic": "VARIADIC",
    "schemaname": "a schema",
    "catalogname": "a catalog",
    "lateral": "LATERAL",
    "typmods": "a type's length or precision",
    "arrayBounds": "an array type",
    "setof": "SETOF",
    "pct_type": "%TYPE",
    "indirection": "a subscript or field",
}
"""How a person would call what is refused."""


def parse_statement(query: str) -> Fields:
    """The only statement of a query, as the fields of its SELECT. Raises SqlRefusedError."""
    if len(query) > MAX_QUERY:
        raise SqlRefusedError(
            "the query", f"has {len(query)} characters; at most {MAX_QUERY} are allowed"
        )
    if any(character < " " and character not in "\t\r\n" for character in query):
        raise SqlRefusedError("a control character", "is not allowed")
    try:
        statements = pgparse.parse(query)
    except pgparse.PGQueryError as error:
        # The parser quotes a part of the query, and nothing else.
        raise SqlRefusedError("the query", f"is not SQL: {error.args[0]}") from error
    except (RecursionError, UnicodeEncodeError) as error:
        raise SqlRefusedError("the query", "cannot be read; make it simpler") from error
    if len(statements) != 1:
        second = _begin(query, statements[1].get("stmt_location", 0)) if statements else None
        raise SqlRefusedError(
            "the query", f"must be one SELECT, not {len(statements)} statements", second
        )
    kind, fields = only_kind(statements[0]["stmt"])
    if kind != "SelectStmt":
        raise SqlRefusedError(
            name_of(kind), "is not allowed; a metric is one SELECT over events", 0
        )
    return fields


def _begin(query: str, offset: int) -> int:
    """Where a statement begins, in bytes, that the parser tells with the space before it."""
    rest = query.encode()[offset:]
    return offset + len(rest) - len(rest.lstrip())


def only_kind(node: Mapping[str, Any]) -> tuple[str, Fields]:
    """What kind of node it is, and its fields."""
    [(kind, fields)] = node.items()
    return kind, fields


def require_only(fields: Fields, *known: str) -> None:
    """Refuses the first field that is not among the known ones: it would be ignored."""
    for field in fields:
        if field not in known and field != "location":
            place = offset_within(fields[field])
            raise SqlRefusedError(
                name_of(field), "is not allowed", offset_of(fields) if place is None else place
            )


def offset_of(fields: Fields) -> int | None:
    """Where a node begins, in bytes: its own place, or the first one inside it that the parser tells."""
    own = fields.get("location")
    return own if own is not None and own >= 0 else offset_within(fields)


def offset_within(part: Any) -> int | None:
    """The first place that is told inside a part of the tree."""
    if isinstance(part, Mapping):
        own = part.get("location", -1)
        return own if own >= 0 else _first(part.values())
    return _first(part) if isinstance(part, list) else None


def _first(parts: Iterable[Any]) -> int | None:
    return next((found for part in parts if (found := offset_within(part)) is not None), None)


def name_of(kind: str) -> str:
    """What a kind of node or a field of one is called in SQL."""
    return _NAMES.get(kind, kind)


def strings(items: Any) -> list[str]:
    """The parts of a name; "*" for a star."""
    parts = []
    for item in items:
        kind, fields = only_kind(item)
        parts.append(fields.get("sval", "") if kind == "String" else "*")
    return parts
