"""Aggregate functions: count, sum, avg, min, max, with DISTINCT for count and with FILTER."""

from __future__ import annotations

from .allowed import AGGREGATES
from .calls import Reader, function_name
from .nodes import Fields, offset_of, require_only
from .tree import Aggregate, Expression, SqlRefusedError, Type


def aggregate(reader: Reader, fields: Fields) -> Expression | None:
    """The aggregate that a call is; None when the function is another kind. Raises SqlRefusedError."""
    name, offset = function_name(fields), offset_of(fields)
    takes = AGGREGATES.get(name)
    if takes is None:
        return None
    require_only(fields, "funcname", "args", "funcformat", "agg_star", "agg_distinct", "agg_filter")
    if not reader.aggregates_allowed:
        raise SqlRefusedError(
            f"{name}()", "is not allowed inside WHERE, GROUP BY or another aggregate", offset
        )
    reader.aggregates_allowed = False
    try:
        argument = _argument(reader, name, fields)
        condition = (
            reader.condition(fields["agg_filter"], "FILTER") if "agg_filter" in fields else None
        )
    finally:
        reader.aggregates_allowed = True
    distinct = bool(fields.get("agg_distinct"))
    if distinct and name != "count":
        raise SqlRefusedError(
            f"{name}(DISTINCT …)", "is not allowed; only count tells things apart", offset
        )
    if argument is not None and argument.type not in takes:
        raise SqlRefusedError(f"{name}()", _wrong_type(name, argument.type), argument.offset)
    of_type = argument.type if argument is not None else Type.NUMBER
    inner = "*" if argument is None else argument.sql
    if distinct and argument is not None:
        inner = f"DISTINCT {argument.sql}"
    filtered = f" FILTER (WHERE {condition.sql})" if condition is not None else ""
    call = f"{name}({inner}){filtered}"
    return Expression(
        sql=f"({call})::numeric" if name == "count" else call,
        type=Type.NUMBER if name not in ("min", "max") else of_type,
        offset=offset,
        aggregates=True,
        aggregate=Aggregate(
            function=name,
            argument=argument.sql if argument is not None else None,
            argument_type=of_type,
            distinct=distinct,
            condition=condition.sql if condition is not None else None,
        ),
    )


def _argument(reader: Reader, name: str, fields: Fields) -> Expression | None:
    """What is aggregated; None for count(*)."""
    nodes = fields.get("args", [])
    if fields.get("agg_star"):
        if name == "count":
            return None
    elif len(nodes) == 1:
        return reader.read(nodes[0])
    raise SqlRefusedError(f"{name}()", "takes one argument", offset_of(fields))


def _wrong_type(name: str, found: Type) -> str:
    hint = "; cast it with ::numeric" if found is Type.TEXT else ""
    return f"cannot take {found.value}{hint}"
