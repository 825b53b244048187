"""How a metric reads events: which names, which of them, what of each; in Python for ingestion, in SQL for history.

Both forms must mean the same, to the last digit; a property test holds them together (EVT-5, EVT-7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, LiteralString

from candela_server.catalog.model import Aggregation, Metric, UniqueOf

from .event_filter import condition, predicate
from .event_value import Properties, property_text
from .group import dimension_sql, group_sql
from .sql_metric_marks import SqlMetrics, is_indexed

_SERVED = frozenset(
    {
        Aggregation.COUNT,
        Aggregation.SUM,
        Aggregation.AVERAGE,
        Aggregation.MAX,
        Aggregation.MIN,
        Aggregation.LAST,
        Aggregation.UNIQUE,
        Aggregation.WEIGHTED_SUM,
    }
)


class MetricReading:
    """One metric, ready to be fed."""

    __slots__ = (
        "counts_distinct",
        "group_by",
        "looks_into_events",
        "matches",
        "measured_property",
        "metric",
        "metric_id",
        "weighs_time",
    )

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.metric_id: str = metric.id
        # Distinct values have a table of their own.
        self.counts_distinct = metric.aggregation is Aggregation.UNIQUE
        # What is measured instead of the event's value.
        self.measured_property = None if self.counts_distinct else metric.property
        self.weighs_time = metric.aggregation is Aggregation.WEIGHTED_SUM
        self.group_by = metric.group_by
        # Whether what a group of events adds up to is not enough.
        self.looks_into_events = (
            self.counts_distinct
            or self.weighs_time
            or bool(metric.filters or metric.group_by or self.measured_property)
        )
        self.matches = predicate(metric.filters)

    def value_of(self, value: Decimal, properties: Properties) -> Decimal | None:
        """What is measured of an event with this value; None when it has no such number and is not read."""
        if self.measured_property is None:
            return value
        found = properties.get(self.measured_property)
        return found if isinstance(found, Decimal) else None

    def distinct_value(self, properties: Properties, user_id: str, customer_id: str) -> str | None:
        """The value that is told apart from others; None when the event has none."""
        match self.metric.unique_of:
            case UniqueOf.USER:
                return user_id or None
            case UniqueOf.CUSTOMER:
                return customer_id
            case _:
                found = properties.get(self.metric.property or "")
                return None if found is None else property_text(found)

    def counted(self, count: int, total: Decimal) -> Decimal:
        """What so many events of this total add to a live counter."""
        if self.metric.aggregation is Aggregation.COUNT:
            return Decimal(count)
        return total if self.metric.aggregation is Aggregation.SUM else Decimal(0)


class Readings:
    """All metrics of one merchant, by the event names they read."""

    __slots__ = ("_adding_up", "_looking_into", "by_id", "sql")

    def __init__(self, readings: Iterable[MetricReading], sql: Iterable[Metric] = ()) -> None:
        self.sql = SqlMetrics(sql)
        self.by_id: dict[str, MetricReading] = {}
        self._adding_up: dict[str, list[MetricReading]] = {}
        self._looking_into: dict[str, list[MetricReading]] = {}
        for reading in readings:
            self.by_id[reading.metric_id] = reading
            by_name = self._looking_into if reading.looks_into_events else self._adding_up
            for name in reading.metric.event_names:
                by_name.setdefault(name, []).append(reading)

    def adding_up(self, name: str) -> list[MetricReading]:
        """The metrics that only need to know what the events of this name add up to."""
        return self._adding_up.get(name, _NONE)

    def looking_into(self, name: str) -> list[MetricReading]:
        """The metrics that must see each event of this name."""
        return self._looking_into.get(name, _NONE)

    def is_read(self, name: str) -> bool:
        """Whether any metric reads events of this name."""
        return name in self._adding_up or name in self._looking_into or self.sql.reads(name)


@dataclass(frozen=True, slots=True)
class EventSql:
    """The same reading over the table of events, as parts of a statement with named parameters.

    `condition` holds for the events that are read; `value` is what is measured of each, `distinct` the value that is
    told apart. `dimension` is the hash of its group, whose values `group` has as text[]; without group-by properties
    it is empty. `weighs_time` says whether values are weighed by time.
    """

    event_names: tuple[str, ...]
    condition: LiteralString
    value: LiteralString
    distinct: LiteralString
    group: LiteralString
    dimension: LiteralString
    weighs_time: bool
    parameters: Mapping[str, Any]


def read_metrics(metrics: Iterable[Metric]) -> Readings:
    """The metrics that are rolled up, ready to be fed."""
    known = list(metrics)
    return Readings(
        [MetricReading(metric) for metric in known if is_rolled_up(metric)],
        [metric for metric in known if metric.sql is not None],
    )


def is_rolled_up(metric: Metric) -> bool:
    """Whether rollups are kept for the metric: not for SQL."""
    return metric.aggregation in _SERVED


def reads_history(metric: Metric) -> bool:
    """Whether the metric keeps something of the events from before it, which a fill makes (EVT-10)."""
    return is_rolled_up(metric) or is_indexed(metric)


def is_measured(metric: Metric) -> bool:
    """Whether usage of the metric can be asked for: rolled up, or a query."""
    return is_rolled_up(metric) or metric.sql is not None


def counting_events(metric: Metric) -> Metric:
    """The metric that counts the events which this one reads, from the same rollups; there is none of a query."""
    assert metric.sql is None, "which events a query reads, only it knows"
    if metric.aggregation is not Aggregation.UNIQUE:
        # Of a gauge, the events that happened in the window: only its value has stood before.
        return replace(metric, aggregation=Aggregation.COUNT, gauge=False)
    return replace(
        metric, aggregation=Aggregation.COUNT, unique_of=metric.unique_of or UniqueOf.PROPERTY
    )


def event_sql(metric: Metric) -> EventSql:
    """How the metric reads the table of events."""
    holds, parameters = condition(metric.filters)
    counts_told_apart = metric.aggregation is Aggregation.COUNT and metric.unique_of is not None
    value: LiteralString = "value"
    if metric.property and metric.aggregation is not Aggregation.UNIQUE and not counts_told_apart:
        value = _PROPERTY_AS_NUMBER
        holds += f" AND {value} IS NOT NULL"
        parameters["measured_property"] = metric.property
    group, names = group_sql(metric.group_by)
    parameters.update(names)
    distinct: LiteralString
    match metric.unique_of:
        case UniqueOf.USER:
            distinct = "event.user_id"
        case UniqueOf.CUSTOMER:
            distinct = "event.customer_id"
        case _:
            distinct = "(properties ->> %(unique_property)s::text)"
            parameters["unique_property"] = metric.property or ""
    if counts_told_apart:
        # As rollups of a metric that tells things apart: see counting_events.
        holds += f" AND ({distinct}) IS NOT NULL"
    return EventSql(
        event_names=tuple(metric.event_names),
        condition=holds,
        value=value,
        distinct=distinct,
        group=group,
        dimension=dimension_sql(group) if metric.group_by else "",
        weighs_time=metric.aggregation is Aggregation.WEIGHTED_SUM,
        parameters=parameters,
    )


# CASE, because nothing else keeps the cast away from what is no number.
_PROPERTY_AS_NUMBER: LiteralString = """
    (CASE WHEN jsonb_typeof(properties -> %(measured_property)s::text) = 'number'
          THEN (properties ->> %(measured_property)s::text)::numeric END)"""

_NONE: list[MetricReading] = []
