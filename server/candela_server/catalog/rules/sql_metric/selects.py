"""From the parser's SELECT to ours: one relation, at most three deep, and at the top exactly one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .allowed import COLUMNS, RELATION
from .expressions import Translator
from .nodes import Fields, name_of, offset_of, only_kind, require_only
from .tree import Expression, Output, Select, SqlRefusedError, Type, identifier

MAX_SELECTS: Final = 3
"""Selects inside each other: a metric of a metric of events."""

MAX_OUTPUTS: Final = 20


def read_query(fields: Fields) -> Select:
    """The whole query. Raises SqlRefusedError."""
    made = _read_select(fields, [0], depth=1)
    [*more] = made.outputs
    if len(more) != 1:
        raise SqlRefusedError("the query", f"must select one number, not {len(more)} columns")
    output = made.outputs[0].expression
    if made.group_by or made.having is not None or made.distinct:
        raise SqlRefusedError(
            "GROUP BY, HAVING or DISTINCT",
            "may give several rows or none, and a metric is one number; "
            "aggregate over it: SELECT sum(n) FROM (SELECT … GROUP BY …) AS parts",
        )
    if not output.aggregates:
        raise SqlRefusedError(
            "the query", "must aggregate, as sum(value) does: a metric is one number", output.offset
        )
    if output.type is not Type.NUMBER:
        raise SqlRefusedError(
            "the query", f"must give a number, not {output.type.value}", output.offset
        )
    return made


def _read_select(fields: Fields, budget: list[int], depth: int) -> Select:
    if fields.get("op") != "SETOP_NONE":
        raise SqlRefusedError("UNION, INTERSECT or EXCEPT", "is not allowed")
    require_only(
        fields,
        *(
            "targetList",
            "fromClause",
            "whereClause",
            "groupClause",
            "havingClause",
            "distinctClause",
        ),
        *("limitOption", "op"),
    )
    source, columns, qualifier = _source(fields, budget, depth)

    def reader(*, aggregates: bool = False, grouped: frozenset[str] = frozenset()) -> Translator:
        return Translator(
            columns, qualifier, budget, aggregates_allowed=aggregates, grouped=grouped
        )

    where = reader().condition(fields["whereClause"], "WHERE") if "whereClause" in fields else None
    group_by = tuple(
        _grouping(node, fields, columns, reader()) for node in fields.get("groupClause", [])
    )
    grouped = frozenset(one.sql for one in group_by)
    outputs = _outputs(fields, reader(aggregates=True, grouped=grouped))
    having = (
        reader(aggregates=True, grouped=grouped).condition(fields["havingClause"], "HAVING")
        if "havingClause" in fields
        else None
    )
    checked = [one.expression for one in outputs] + ([having] if having is not None else [])
    if group_by or any(one.aggregates for one in checked):
        for one in checked:
            if one.loose:
                raise SqlRefusedError(
                    "a column",
                    "must be in GROUP BY or inside an aggregate such as sum()",
                    one.offset,
                )
    return Select(
        outputs=outputs,
        source=source,
        distinct=_is_distinct(fields),
        where=where.sql if where is not None else None,
        group_by=tuple(one.sql for one in group_by),
        having=having.sql if having is not None else None,
    )


def _source(
    fields: Fields, budget: list[int], depth: int
) -> tuple[Select | None, Mapping[str, Expression], str]:
    """What is selected from: None for the events; its columns, and the name that may stand before them."""
    items = fields.get("fromClause", [])
    if len(items) != 1:
        raise SqlRefusedError(
            "FROM", f"must name {RELATION} or one sub-select over it, not {len(items)} relations"
        )
    kind, found = only_kind(items[0])
    if kind == "RangeVar":
        require_only(found, "relname", "inh", "relpersistence", "alias")
        if found["relname"] != RELATION or not found.get("inh"):
            raise SqlRefusedError(
                f"relation {found['relname'][:100]!r}",
                f"is not there; there is {RELATION}",
                offset_of(found),
            )
        columns = {
            name: Expression(
                sql=identifier(name),
                type=type_,
                offset=0,
                loose=True,
                weight=int(type_ is Type.TEXT),
            )
            for name, type_ in COLUMNS.items()
        }
        return None, columns, _alias(found) or RELATION
    if kind != "RangeSubselect":
        raise SqlRefusedError(name_of(kind), "is not allowed", offset_of(found))
    require_only(found, "subquery", "alias")
    inner_kind, inner = only_kind(found["subquery"])
    if depth == MAX_SELECTS or inner_kind != "SelectStmt":
        raise SqlRefusedError(
            "a sub-select", f"may be at most {MAX_SELECTS - 1} deep", offset_of(found)
        )
    source = _read_select(inner, budget, depth + 1)
    columns = {
        one.name: Expression(
            sql=identifier(one.name),
            type=one.expression.type,
            offset=0,
            loose=True,
            weight=one.expression.weight,
        )
        for one in source.outputs
    }
    if len(columns) < len(source.outputs):
        raise SqlRefusedError("a sub-select", "has two columns of one name; name them with AS")
    return source, columns, _alias(found) or ""


def _alias(fields: Fields) -> str | None:
    if "alias" not in fields:
        return None
    require_only(fields["alias"], "aliasname")
    return str(fields["alias"]["aliasname"])


def _outputs(fields: Fields, reader: Translator) -> tuple[Output, ...]:
    targets = fields.get("targetList", [])
    if not 1 <= len(targets) <= MAX_OUTPUTS:
        raise SqlRefusedError("SELECT", f"must have 1 to {MAX_OUTPUTS} columns, not {len(targets)}")
    outputs = []
    for number, node in enumerate(targets, start=1):
        _, target = only_kind(node)
        require_only(target, "name", "val")
        expression = reader.read(target["val"])
        if expression.type is Type.NULL:
            raise SqlRefusedError("NULL", "has no type; cast it", expression.offset)
        outputs.append(Output(_name(target, number), expression))
    return tuple(outputs)


def _name(target: Fields, number: int) -> str:
    """A column's name: the one given with AS, that of a bare column, or its place."""
    if "name" in target:
        return str(target["name"])
    kind, fields = only_kind(target["val"])
    if kind == "ColumnRef":
        _, last = only_kind(fields["fields"][-1])
        return str(last.get("sval", f"column{number}"))
    return f"column{number}"


def _grouping(
    node: Mapping[str, Any], select: Fields, columns: Mapping[str, Expression], reader: Translator
) -> Expression:
    """What is grouped by: an expression, the place of an output, or its name where no column has that."""
    kind, fields = only_kind(node)
    targets = [only_kind(one)[1] for one in select.get("targetList", [])]
    if kind == "A_Const":
        place = int(fields["ival"].get("ival", 0)) if "ival" in fields else 0
        if not 1 <= place <= len(targets):
            raise SqlRefusedError(
                "GROUP BY",
                f"must name a column or the place of one, 1 to {len(targets)}",
                offset_of(fields),
            )
        return reader.read(targets[place - 1]["val"])
    if kind == "ColumnRef" and len(fields["fields"]) == 1:
        _, name = only_kind(fields["fields"][0])
        wanted = name.get("sval")
        named = [one for one in targets if one.get("name") == wanted]
        if wanted not in columns and len(named) == 1:
            return reader.read(named[0]["val"])
    return reader.read(node)


def _is_distinct(fields: Fields) -> bool:
    """Whether it is SELECT DISTINCT; DISTINCT ON, whose choice between rows may vary, is refused."""
    clause = fields.get("distinctClause")
    if clause is None:
        return False
    if any(clause):
        raise SqlRefusedError("DISTINCT ON", "is not allowed")
    return True
