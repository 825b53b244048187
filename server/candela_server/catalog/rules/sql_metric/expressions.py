"""From the parser's expressions to ours: each kind of node has its line here, and the others are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from .aggregates import aggregate
from .allowed import ARITHMETIC, COMPARISONS
from .calls import call
from .casts import cast, instant
from .nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Fields,
    name_of,
    offset_of,
    only_kind,
    require_only,
    strings,
)
from .tree import Expression, SqlRefusedError, Type, quoted

MAX_LIST: Final = 100
MAX_PATTERN: Final = 100
MAX_WEIGHT: Final = 20
"""Stored texts that may be put together into one: 10 kB of it."""

_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?|-?\.[0-9]{1,38}")
_OPERATIONS = frozenset(
    [
        "AEXPR_OP",
        "AEXPR_LIKE",
        "AEXPR_ILIKE",
        "AEXPR_DISTINCT",
        "AEXPR_NOT_DISTINCT",
        "AEXPR_NULLIF",
    ]
)
_PATTERNS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
_TESTS = {
    "IS_TRUE": "IS TRUE",
    "IS_NOT_TRUE": "IS NOT TRUE",
    "IS_FALSE": "IS FALSE",
    "IS_NOT_FALSE": "IS NOT FALSE",
    "IS_UNKNOWN": "IS NULL",
    "IS_NOT_UNKNOWN": "IS NOT NULL",
}


class Translator:
    """Reads expressions over the columns of one relation. `grouped` are the texts of its grouping columns."""

    def __init__(
        self,
        columns: Mapping[str, Expression],
        qualifier: str,
        budget: list[int],
        *,
        aggregates_allowed: bool,
        grouped: frozenset[str] = frozenset(),
    ) -> None:
        self._columns = columns
        self._qualifier = qualifier
        self._budget = budget
        self._depth = 0
        self._grouped = grouped
        self.aggregates_allowed = aggregates_allowed
        self._kinds: Mapping[str, Callable[[Fields], Expression]] = {
            "A_Const": self._constant,
            "ColumnRef": self._column,
            "A_Expr": self._operation,
            "BoolExpr": self._logic,
            "NullTest": self._null_test,
            "BooleanTest": self._boolean_test,
            "CaseExpr": self._case,
            "CoalesceExpr": self._coalesce,
            "MinMaxExpr": self._extreme,
            "FuncCall": self._function,
            "TypeCast": self._cast,
        }

    def read(self, node: Mapping[str, Any]) -> Expression:
        """What a node means. Raises SqlRefusedError."""
        kind, fields = only_kind(node)
        reader = self._kinds.get(kind)
        if reader is None:
            raise SqlRefusedError(name_of(kind), "is not allowed", offset_of(fields))
        self._budget[0] += 1
        self._depth += 1
        if self._budget[0] > MAX_NODES or self._depth > MAX_DEPTH:
            raise SqlRefusedError("the query", "is too complex; make it simpler", offset_of(fields))
        found = reader(fields)
        self._depth -= 1
        return found.grouped() if found.sql in self._grouped else found

    def condition(self, node: Mapping[str, Any], place: str) -> Expression:
        """A node that must be a truth value."""
        return _require(self.read(node), Type.BOOLEAN, place)

    def _constant(self, fields: Fields) -> Expression:
        require_only(fields, "isnull", "ival", "fval", "sval", "boolval")
        offset = offset_of(fields)
        if fields.get("isnull"):
            return Expression(sql="NULL", type=Type.NULL, offset=offset)
        if "sval" in fields:
            text = fields["sval"].get("sval", "")
            return Expression(
                sql=f"{quoted(text)}::text", type=Type.TEXT, offset=offset, literal=text, weight=1
            )
        if "boolval" in fields:
            sql = "true" if fields["boolval"].get("boolval") else "false"
            return Expression(sql=sql, type=Type.BOOLEAN, offset=offset)
        text = str(fields["ival"].get("ival", 0)) if "ival" in fields else fields["fval"]["fval"]
        if not _NUMBER.fullmatch(text):
            raise SqlRefusedError(
                f"the number {text[:50]}", "is no plain decimal of at most 38 digits", offset
            )
        return number(Decimal(text), offset)

    def _column(self, fields: Fields) -> Expression:
        require_only(fields, "fields")
        offset, parts = offset_of(fields), strings(fields["fields"])
        if len(parts) == 2 and parts[0] == self._qualifier:
            parts = parts[1:]
        if len(parts) != 1:
            raise SqlRefusedError(
                ".".join(parts)[:100], "is no column of what is selected from", offset
            )
        column = self._columns.get(parts[0])
        if column is None:
            known = ", ".join(self._columns)
            raise SqlRefusedError(
                f"column {parts[0][:100]!r}", f"is not there; there are {known}", offset
            )
        return replace(column, offset=offset)

    def _operation(self, fields: Fields) -> Expression:
        require_only(fields, "kind", "name", "lexpr", "rexpr", "rexpr_list_start", "rexpr_list_end")
        kind, offset, names = fields["kind"], offset_of(fields), strings(fields["name"])
        if len(names) != 1:
            raise SqlRefusedError("an operator's schema", "is not allowed", offset)
        operator = names[0]
        if kind in ("AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"):
            return self._membership(kind, operator, fields)
        if kind not in _OPERATIONS or "rexpr" not in fields:
            raise SqlRefusedError(f"operator {operator[:20]}", "is not allowed here", offset)
        right = self.read(fields["rexpr"])
        if "lexpr" not in fields:
            if kind != "AEXPR_OP" or operator not in ("-", "+"):
                raise SqlRefusedError(f"operator {operator[:20]}", "is not allowed here", offset)
            _require(right, Type.NUMBER, f"what follows {operator}")
            return _of(Type.NUMBER, f"({operator} {right.sql})", offset, right)
        left = self.read(fields["lexpr"])
        match kind:
            case "AEXPR_OP":
                return _binary(operator, left, right, offset)
            case "AEXPR_LIKE" | "AEXPR_ILIKE":
                return _pattern(operator, left, right, offset)
            case "AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT":
                left, right = _alike(left, right, offset)
                word = "IS DISTINCT FROM" if kind == "AEXPR_DISTINCT" else "IS NOT DISTINCT FROM"
                return _of(Type.BOOLEAN, f"({left.sql} {word} {right.sql})", offset, left, right)
            case _:
                left, right = _alike(left, right, offset)
                return _of(left.type, f"nullif({left.sql}, {right.sql})", offset, left, right)

    def _membership(self, kind: str, operator: str, fields: Fields) -> Expression:
        offset = offset_of(fields)
        listed, found = only_kind(fields["rexpr"])
        if listed != "List":
            raise SqlRefusedError(name_of(listed), "is not allowed here", offset)
        items = found["items"]
        if len(items) > MAX_LIST:
            raise SqlRefusedError(
                "IN", f"has {len(items)} values; at most {MAX_LIST} are allowed", offset
            )
        left = self.read(fields["lexpr"])
        alike = [_alike(left, self.read(item), offset)[1] for item in items]
        if kind == "AEXPR_IN":
            word = "IN" if operator == "=" else "NOT IN"
            sql = f"({left.sql} {word} ({', '.join(one.sql for one in alike)}))"
        else:
            word = "BETWEEN" if kind == "AEXPR_BETWEEN" else "NOT BETWEEN"
            sql = f"({left.sql} {word} {alike[0].sql} AND {alike[1].sql})"
        return _of(Type.BOOLEAN, sql, offset, left, *alike)

    def _logic(self, fields: Fields) -> Expression:
        require_only(fields, "boolop", "args")
        parts = [self.condition(node, "an operand of AND, OR or NOT") for node in fields["args"]]
        word = {"AND_EXPR": " AND ", "OR_EXPR": " OR "}.get(fields["boolop"])
        sql = (
            f"(NOT {parts[0].sql})" if word is None else f"({word.join(one.sql for one in parts)})"
        )
        return _of(Type.BOOLEAN, sql, offset_of(fields), *parts)

    def _null_test(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "nulltesttype")
        tested = self.read(fields["arg"])
        word = "IS NULL" if fields["nulltesttype"] == "IS_NULL" else "IS NOT NULL"
        return _of(Type.BOOLEAN, f"({tested.sql} {word})", offset_of(fields), tested)

    def _boolean_test(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "booltesttype")
        tested = self.condition(fields["arg"], "what IS tests")
        return _of(
            Type.BOOLEAN,
            f"({tested.sql} {_TESTS[fields['booltesttype']]})",
            offset_of(fields),
            tested,
        )

    def _case(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "args", "defresult")
        offset = offset_of(fields)
        subject = self.read(fields["arg"]) if "arg" in fields else None
        conditions, results = [], []
        for node in fields["args"]:
            _, when = only_kind(node)
            require_only(when, "expr", "result")
            if subject is None:
                conditions.append(self.condition(when["expr"], "what follows WHEN"))
            else:
                subject, wanted = _alike(subject, self.read(when["expr"]), offset)
                conditions.append(
                    _of(Type.BOOLEAN, f"({subject.sql} = {wanted.sql})", offset, subject, wanted)
                )
            results.append(self.read(when["result"]))
        if "defresult" in fields:
            results.append(self.read(fields["defresult"]))
        kind = _common(results, offset)
        pairs = zip(conditions, results, strict=False)
        sql = " ".join(f"WHEN {one.sql} THEN {result.sql}" for one, result in pairs)
        default = f" ELSE {results[-1].sql}" if "defresult" in fields else ""
        return _of(kind, f"(CASE {sql}{default} END)", offset, *conditions, *results)

    def _coalesce(self, fields: Fields) -> Expression:
        require_only(fields, "args")
        parts, offset = [self.read(node) for node in fields["args"]], offset_of(fields)
        sql = f"coalesce({', '.join(one.sql for one in parts)})"
        made = _of(_common(parts, offset), sql, offset, *parts)
        if len(parts) == 2 and parts[1].sql == number(Decimal(0), 0).sql:
            # NULL is 0 at the end in any case.
            return replace(made, aggregate=parts[0].aggregate)
        return made

    def _extreme(self, fields: Fields) -> Expression:
        require_only(fields, "op", "args")
        parts, offset = [self.read(node) for node in fields["args"]], offset_of(fields)
        word = "greatest" if fields["op"] == "IS_GREATEST" else "least"
        sql = f"{word}({', '.join(one.sql for one in parts)})"
        return _of(_common(parts, offset), sql, offset, *parts)

    def _function(self, fields: Fields) -> Expression:
        made = aggregate(self, fields)
        return made if made is not None else call(self, fields)

    def _cast(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "typeName")
        return cast(self.read(fields["arg"]), fields["typeName"])


def number(value: Decimal, offset: int | None) -> Expression:
    """A number constant."""
    return Expression(sql=f"({format(value, 'f')})::numeric", type=Type.NUMBER, offset=offset)


def _binary(operator: str, left: Expression, right: Expression, offset: int | None) -> Expression:
    if operator in ARITHMETIC:
        _require(left, Type.NUMBER, f"what precedes {operator}")
        _require(right, Type.NUMBER, f"what follows {operator}")
        return _of(
            Type.NUMBER, ARITHMETIC[operator].format(left.sql, right.sql), offset, left, right
        )
    if operator in COMPARISONS:
        left, right = _alike(left, right, offset)
        return _of(Type.BOOLEAN, f"({left.sql} {operator} {right.sql})", offset, left, right)
    if operator == "||":
        _require(left, Type.TEXT, "what precedes ||")
        _require(right, Type.TEXT, "what follows ||")
        if left.weight + right.weight > MAX_WEIGHT:
            raise SqlRefusedError("||", "makes a text that is too long", offset)
        made = _of(Type.TEXT, f"({left.sql} || {right.sql})", offset, left, right)
        return replace(made, weight=left.weight + right.weight)
    if operator in ("->>", "?"):
        _require(left, Type.PROPERTIES, f"what precedes {operator}")
        if right.literal is None:
            raise SqlRefusedError(
                operator, "must be followed by the name of a property in quotes", offset
            )
        sql = f"({left.sql} {operator} {quoted(right.literal)})"
        gives = Type.TEXT if operator == "->>" else Type.BOOLEAN
        return replace(_of(gives, sql, offset, left), weight=1)
    hint = "; write ->> for a property" if operator == "->" else ""
    raise SqlRefusedError(f"operator {operator[:20]}", f"is not allowed{hint}", offset)


def _pattern(operator: str, left: Expression, right: Expression, offset: int | None) -> Expression:
    _require(left, Type.TEXT, "what precedes LIKE")
    if right.literal is None or len(right.literal) > MAX_PATTERN:
        raise SqlRefusedError(
            "LIKE",
            f"must be followed by a pattern in quotes, of at most {MAX_PATTERN} characters",
            offset,
        )
    backslashes = len(right.literal) - len(right.literal.rstrip("\\"))
    if backslashes % 2:
        raise SqlRefusedError("LIKE", "has a pattern that ends with an escape", offset)
    return _of(
        Type.BOOLEAN, f"({left.sql} {_PATTERNS[operator]} {quoted(right.literal)})", offset, left
    )


def _alike(
    left: Expression, right: Expression, offset: int | None
) -> tuple[Expression, Expression]:
    """Two things that are compared: of one type; a text constant beside an instant is one."""
    if left.type is Type.INSTANT and right.literal is not None:
        right = instant(right)
    elif right.type is Type.INSTANT and left.literal is not None:
        left = instant(left)
    if Type.PROPERTIES in (left.type, right.type):
        raise SqlRefusedError("properties", "cannot be compared; take one with ->>", offset)
    if left.type is not right.type and Type.NULL not in (left.type, right.type):
        raise SqlRefusedError(
            "a comparison",
            f"between {left.type.value} and {right.type.value} is not possible; cast one of them",
            offset,
        )
    return left, right


def _common(parts: Sequence[Expression], offset: int | None) -> Type:
    """The one type of several values."""
    types = {one.type for one in parts} - {Type.NULL}
    if len(types) > 1 or Type.PROPERTIES in types:
        named = " and ".join(sorted(one.value for one in types))
        raise SqlRefusedError("the values", f"must be of one simple type, not {named}", offset)
    return types.pop() if types else Type.NULL


def _require(found: Expression, wanted: Type, place: str) -> Expression:
    if found.type not in (wanted, Type.NULL):
        hint = (
            "; cast it with ::numeric" if (found.type, wanted) == (Type.TEXT, Type.NUMBER) else ""
        )
        raise SqlRefusedError(
            place, f"must be {wanted.value}, not {found.type.value}{hint}", found.offset
        )
    return found


def _of(kind: Type, sql: str, offset: int | None, *parts: Expression) -> Expression:
    """An expression made of others."""
    return Expression(
        sql=sql,
        type=kind,
        offset=offset,
        aggregates=any(one.aggregates for one in parts),
        loose=any(one.loose for one in parts),
        weight=max((one.weight for one in parts), default=0),
    )
