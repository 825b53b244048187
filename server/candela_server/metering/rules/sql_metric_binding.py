"""A metric's query as it is given to the database: the events of one merchant, customer and window as literals (EVT-6).

`events` is replaced by a sub-select that only these events come out of, whatever is asked of it. The same literals
stand in the session's scope (storage/sql_sandbox.py), which holds without this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from candela_server.catalog.model import Metric
from candela_server.catalog.rules.sql_metric.allowed import COLUMNS, RELATION
from candela_server.catalog.rules.sql_metric.tree import (
    Aggregate,
    Select,
    Type,
    identifier,
    quoted,
)
from candela_server.metering.model import SqlScope

from .aggregation import plain
from .event_filter import condition

MAX_MAGNITUDE: Final = Decimal(10) ** 60
"""Beyond this a result is a mistake; a sum of a billion of the largest values is below."""


PLACES: Final = 12
"""To which a result is rounded, half away from zero; what lies in between is exact."""


class SqlResultError(ValueError):
    """The query gives no finite number of a sensible size."""


def window_query(select: Select, metric: Metric, scope: SqlScope) -> str:
    """The metric's one number over a scope."""
    output = select.outputs[0].expression
    return (
        f"SELECT NULL::timestamptz, round(({output.sql})::numeric, {PLACES}), NULL::text[] "
        f"FROM {_source(select, metric, scope)}{_where(select.where)}"
    )


def bucket_query(
    select: Select, kept: Aggregate, metric: Metric, scope: SqlScope, only: Sequence[datetime]
) -> str:
    """What each quarter-hour of a scope adds: a number, or the distinct values; only the named ones, unless empty."""
    argument = kept.argument or "*"
    filtered = f" FILTER (WHERE {kept.condition})" if kept.condition else ""
    if kept.distinct:
        text = _as_text(argument, kept.argument_type)
        condition = f"{argument} IS NOT NULL" + (f" AND {kept.condition}" if kept.condition else "")
        measured = f"NULL::numeric, array_agg(DISTINCT {text}) FILTER (WHERE {condition})"
    else:
        measured = f"({kept.function}({argument}){filtered})::numeric, NULL::text[]"
    bucket = "date_bin('15 minutes', \"timestamp\", '1970-01-01T00:00:00+00:00'::timestamptz)"
    chosen = f"{bucket} IN ({', '.join(_instant(one) for one in only)})" if only else None
    return (
        f"SELECT {bucket}, {measured} FROM {_events(metric, scope)}"
        f"{_where(select.where, chosen)} GROUP BY 1"
    )


def usage_of(value: Decimal | None) -> Decimal:
    """A query's rounded result as usage; 0 for NULL, which is what nothing adds up to.

    Raises SqlResultError for NaN, infinity and what is too large to be meant.
    """
    if value is None:
        return Decimal(0)
    if not value.is_finite() or abs(value) >= MAX_MAGNITUDE:
        raise SqlResultError
    return plain(value)


def _render(select: Select, metric: Metric, scope: SqlScope) -> str:
    outputs = ", ".join(f"{one.expression.sql} AS {identifier(one.name)}" for one in select.outputs)
    distinct = "DISTINCT " if select.distinct else ""
    grouped = f" GROUP BY {', '.join(select.group_by)}" if select.group_by else ""
    having = f" HAVING {select.having}" if select.having is not None else ""
    return (
        f"SELECT {distinct}{outputs} FROM {_source(select, metric, scope)}"
        f"{_where(select.where)}{grouped}{having}"
    )


def _source(select: Select, metric: Metric, scope: SqlScope) -> str:
    if select.source is None:
        return _events(metric, scope)
    return f"({_render(select.source, metric, scope)}) AS part"


def _events(metric: Metric, scope: SqlScope) -> str:
    """The events that the metric reads of a scope, under the name and with the columns that queries know."""
    columns = ", ".join(identifier(name) for name in COLUMNS)
    names = ", ".join(quoted(name) for name in metric.event_names)
    holds, parameters = condition(metric.filters)
    user = f" AND user_id = {quoted(scope.user_id)}" if scope.user_id else ""
    return (
        f"(SELECT {columns} FROM pg_temp.events"
        f" WHERE merchant_id = {quoted(scope.merchant_id)} AND customer_id = {quoted(scope.customer_id)}"
        f' AND "timestamp" >= {_instant(scope.window.start_at)} AND "timestamp" < {_instant(scope.window.end_at)}{user}'
        f" AND name IN ({names})"
        f" AND {holds % {name: _literal(value) for name, value in parameters.items()}}) AS {RELATION}"
    )


def _where(*conditions: str | None) -> str:
    present = [one for one in conditions if one is not None]
    return f" WHERE {' AND '.join(present)}" if present else ""


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(quoted(one) for one in value)}]"
    return quoted(value)


def _instant(instant: datetime) -> str:
    return f"'{instant.astimezone(UTC).isoformat()}'::timestamptz"


def _as_text(argument: str, kind: Type) -> str:
    """Equal values as equal texts, different ones as different ones."""
    match kind:
        case Type.NUMBER:
            return f"trim_scale({argument})::text"
        case Type.INSTANT:
            return f"extract(epoch FROM {argument})::text"
        case _:
            return f"({argument})::text"
