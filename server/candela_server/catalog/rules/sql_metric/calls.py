"""Calls of scalar functions, argument by argument against the allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from candela_server.kernel.time_zone import time_zone_named

from .allowed import AGGREGATES, FUNCTIONS, Function, Literal
from .nodes import Fields, offset_of, only_kind, require_only, strings
from .tree import Expression, SqlRefusedError, Type, quoted


class Reader(Protocol):
    """What reads the arguments."""

    aggregates_allowed: bool

    def read(self, node: Mapping[str, Any]) -> Expression:
        """What a node means."""
        ...

    def condition(self, node: Mapping[str, Any], place: str) -> Expression:
        """A node that must be a truth value."""
        ...


def function_name(fields: Fields) -> str:
    """The name of the called function. Raises SqlRefusedError for one with a schema."""
    names = strings(fields["funcname"])
    if fields.get("funcformat") == "COERCE_SQL_SYNTAX" and len(names) == 2:
        return names[1]  # EXTRACT, TRIM: the parser's own way of calling them
    if len(names) != 1:
        raise SqlRefusedError(
            f"function {'.'.join(names)[:100]}", "must not name a schema", offset_of(fields)
        )
    return names[0]


def call(reader: Reader, fields: Fields) -> Expression:
    """A call of a scalar function. Raises SqlRefusedError."""
    name, offset = function_name(fields), offset_of(fields)
    forms = FUNCTIONS.get(name)
    if forms is None:
        known = ", ".join(
            sorted([*FUNCTIONS, *AGGREGATES, "coalesce", "greatest", "least", "nullif"])
        )
        raise SqlRefusedError(
            f"function {name[:100]}", f"is not allowed; there are {known}", offset
        )
    require_only(fields, "funcname", "args", "funcformat")
    nodes = fields.get("args", [])
    form = next((one for one in forms if len(one.takes) == len(nodes)), None)
    if form is None:
        raise SqlRefusedError(f"function {name}", f"does not take {len(nodes)} arguments", offset)
    return _apply(
        name,
        form,
        [
            _argument(reader, name, wanted, node)
            for wanted, node in zip(form.takes, nodes, strict=True)
        ],
        offset,
    )


def _apply(name: str, form: Function, parts: list[Expression], offset: int | None) -> Expression:
    if name == "date_trunc" and len(parts) == 3:
        zone = parts[2].literal or ""
        try:
            time_zone_named(zone)
        except ValueError as error:
            raise SqlRefusedError("date_trunc", str(error), offset) from error
    return Expression(
        sql=form.template.format(*(one.sql for one in parts)),
        type=form.gives,
        offset=offset,
        aggregates=any(one.aggregates for one in parts),
        loose=any(one.loose for one in parts),
        weight=max((one.weight for one in parts), default=0),
    )


def _argument(
    reader: Reader, name: str, wanted: Type | Literal, node: Mapping[str, Any]
) -> Expression:
    if isinstance(wanted, Literal):
        return _literal(name, wanted, node)
    found = reader.read(node)
    if found.type is not wanted:
        hint = (
            "; cast it with ::numeric" if (found.type, wanted) == (Type.TEXT, Type.NUMBER) else ""
        )
        raise SqlRefusedError(
            f"{name}()", f"takes {wanted.value}, not {found.type.value}{hint}", found.offset
        )
    return found


def _literal(name: str, wanted: Literal, node: Mapping[str, Any]) -> Expression:
    kind, fields = only_kind(node)
    offset = offset_of(fields)
    if kind == "A_Const" and wanted.least is not None and "ival" in fields:
        value = int(fields["ival"].get("ival", 0))
        if wanted.most is not None and wanted.least <= value <= wanted.most:
            return Expression(sql=str(value), type=Type.NUMBER, offset=offset)
        raise SqlRefusedError(
            f"{name}()", f"takes a number from {wanted.least} to {wanted.most} here", offset
        )
    if kind == "A_Const" and wanted.least is None and "sval" in fields:
        text = fields["sval"].get("sval", "")
        if wanted.choices and text.lower() not in wanted.choices:
            raise SqlRefusedError(
                f"{name}()", f"takes one of {', '.join(sorted(wanted.choices))} here", offset
            )
        text = text.lower() if wanted.choices else text
        return Expression(sql=quoted(text), type=Type.TEXT, offset=offset, literal=text)
    raise SqlRefusedError(f"{name}()", "takes a constant here", offset)
