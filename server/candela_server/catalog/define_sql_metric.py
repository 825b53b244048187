"""Checks a metric's SQL when it is defined: what cannot be measured safely is refused here, with the place (EVT-6)."""

from __future__ import annotations

from .errors import SqlMetricRefusedError
from .model import SqlMetric
from .rules.sql_metric.query import indexed_aggregate, position, read_sql
from .rules.sql_metric.tree import SqlRefusedError


def check_sql(sql: SqlMetric, names_given: bool, at: str) -> None:
    """Refuses a query that may not be a metric; `at` is the metric's place in the request.

    Raises SqlMetricRefusedError, with the offending construct and its position.
    """
    field = f"{at}.sql.query"
    try:
        read = read_sql(sql.query)
        if sql.indexed:
            indexed_aggregate(read)
    except SqlRefusedError as error:
        where = None if error.offset is None else position(sql.query, error.offset)
        raise SqlMetricRefusedError(field, error.construct, error.reason, where) from error
    if read.names_read and not names_given:
        raise SqlMetricRefusedError(
            field,
            "column 'name'",
            "has one value only while event_names is empty, the metric's slug; list the names that the query reads",
        )
