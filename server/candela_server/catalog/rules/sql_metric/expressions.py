"""From the parser's expressions to ours: each kind of node has its line here, and the others are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from .aggregates import aggregate
from .calls import call
from .casts import cast
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
from .operators import alike, binary, common, made_of, number, pattern, require
from .tree import Expression, SqlRefusedError, Type, quoted

MAX_LIST: Final = 100

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
        return require(self.read(node), Type.BOOLEAN, place)

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
            # With its type: a bare constant would mean something else in GROUP BY.
            sql = "true::boolean" if fields["boolval"].get("boolval") else "false::boolean"
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
            require(right, Type.NUMBER, f"what follows {operator}")
            return made_of(Type.NUMBER, f"({operator} {right.sql})", offset, right)
        left = self.read(fields["lexpr"])
        match kind:
            case "AEXPR_OP":
                return binary(operator, left, right, offset)
            case "AEXPR_LIKE" | "AEXPR_ILIKE":
                return pattern(operator, left, right, offset)
            case "AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT":
                left, right = alike(left, right, offset)
                word = "IS DISTINCT FROM" if kind == "AEXPR_DISTINCT" else "IS NOT DISTINCT FROM"
                return made_of(
                    Type.BOOLEAN, f"({left.sql} {word} {right.sql})", offset, left, right
                )
            case _:
                left, right = alike(left, right, offset)
                return made_of(left.type, f"nullif({left.sql}, {right.sql})", offset, left, right)

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
        wanted = []
        for item in items:
            left, one = alike(left, self.read(item), offset)
            wanted.append(one)
        if kind == "AEXPR_IN":
            word = "IN" if operator == "=" else "NOT IN"
            sql = f"({left.sql} {word} ({', '.join(one.sql for one in wanted)}))"
        else:
            word = "BETWEEN" if kind == "AEXPR_BETWEEN" else "NOT BETWEEN"
            sql = f"({left.sql} {word} {wanted[0].sql} AND {wanted[1].sql})"
        return made_of(Type.BOOLEAN, sql, offset, left, *wanted)

    def _logic(self, fields: Fields) -> Expression:
        require_only(fields, "boolop", "args")
        parts = [self.condition(node, "an operand of AND, OR or NOT") for node in fields["args"]]
        word = {"AND_EXPR": " AND ", "OR_EXPR": " OR "}.get(fields["boolop"])
        sql = (
            f"(NOT {parts[0].sql})" if word is None else f"({word.join(one.sql for one in parts)})"
        )
        return made_of(Type.BOOLEAN, sql, offset_of(fields), *parts)

    def _null_test(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "nulltesttype")
        tested = self.read(fields["arg"])
        word = "IS NULL" if fields["nulltesttype"] == "IS_NULL" else "IS NOT NULL"
        return made_of(Type.BOOLEAN, f"({tested.sql} {word})", offset_of(fields), tested)

    def _boolean_test(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "booltesttype")
        tested = self.condition(fields["arg"], "what IS tests")
        return made_of(
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
                subject, wanted = alike(subject, self.read(when["expr"]), offset)
                conditions.append(
                    made_of(
                        Type.BOOLEAN, f"({subject.sql} = {wanted.sql})", offset, subject, wanted
                    )
                )
            results.append(self.read(when["result"]))
        if "defresult" in fields:
            results.append(self.read(fields["defresult"]))
        kind = common(results, offset)
        pairs = zip(conditions, results, strict=False)
        sql = " ".join(f"WHEN {one.sql} THEN {result.sql}" for one, result in pairs)
        default = f" ELSE {results[-1].sql}" if "defresult" in fields else ""
        return made_of(kind, f"(CASE {sql}{default} END)", offset, *conditions, *results)

    def _coalesce(self, fields: Fields) -> Expression:
        require_only(fields, "args")
        parts, offset = [self.read(node) for node in fields["args"]], offset_of(fields)
        sql = f"coalesce({', '.join(one.sql for one in parts)})"
        made = made_of(common(parts, offset), sql, offset, *parts)
        if len(parts) == 2 and parts[1].sql == number(Decimal(0), 0).sql:
            # NULL is 0 at the end in any case.
            return replace(made, aggregate=parts[0].aggregate)
        return made

    def _extreme(self, fields: Fields) -> Expression:
        require_only(fields, "op", "args")
        parts, offset = [self.read(node) for node in fields["args"]], offset_of(fields)
        word = "greatest" if fields["op"] == "IS_GREATEST" else "least"
        sql = f"{word}({', '.join(one.sql for one in parts)})"
        return made_of(common(parts, offset), sql, offset, *parts)

    def _function(self, fields: Fields) -> Expression:
        made = aggregate(self, fields)
        return made if made is not None else call(self, fields)

    def _cast(self, fields: Fields) -> Expression:
        require_only(fields, "arg", "typeName")
        return cast(self.read(fields["arg"]), fields["typeName"])
