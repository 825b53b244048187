"""Which usage by SQL metrics a flush changes: quarter-hours of the indexed ones, and days that are long over (EVT-6).

Data plane. Budget: nothing while a merchant has no such metric, 1 µs per event of one. Only names are looked at: what
is marked without need is measured once more, what is not marked would be wrong for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from candela_server.catalog.model import Metric

from .bucket import BUCKET_US

Mark: TypeAlias = tuple[str, str, str, int]
"""customer, metric, user or "" for the whole customer, start of the quarter-hour in microseconds."""

LateEvent: TypeAlias = tuple[str, str, int]
"""customer, metric, when in microseconds."""


class MarkedEvent(Protocol):
    """What is looked at."""

    @property
    def customer_id(self) -> str:
        """Whose usage it is."""
        ...

    @property
    def user_id(self) -> str:
        """Which user's; "" when none was named."""
        ...

    @property
    def name(self) -> str:
        """What happened."""
        ...

    @property
    def happened_us(self) -> int:
        """When, in microseconds since 1970."""
        ...


class SqlMetrics:
    """The metrics of one merchant that are queries, by the event names they read."""

    __slots__ = ("_by_name", "_indexed_by_name")

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._by_name: dict[str, list[str]] = {}
        self._indexed_by_name: dict[str, list[str]] = {}
        for metric in metrics:
            for name in metric.event_names:
                self._by_name.setdefault(name, []).append(metric.id)
                if is_indexed(metric):
                    self._indexed_by_name.setdefault(name, []).append(metric.id)

    def reads(self, name: str) -> bool:
        """Whether any of them reads events of this name."""
        return name in self._by_name

    def marks(self, events: Iterable[MarkedEvent]) -> list[Mark]:
        """The quarter-hours that these events change, sorted: the order in which every flush takes the rows."""
        if not self._indexed_by_name:
            return []
        found: set[Mark] = set()
        for event in events:
            for metric_id in self._indexed_by_name.get(event.name, ()):
                bucket_us = event.happened_us - event.happened_us % BUCKET_US
                found.add((event.customer_id, metric_id, "", bucket_us))
                if event.user_id:
                    found.add((event.customer_id, metric_id, event.user_id, bucket_us))
        return sorted(found)

    def late(self, events: Iterable[MarkedEvent], bound_us: int) -> set[LateEvent]:
        """Those of these events that happened before an instant, by the metrics that read them (EVT-9)."""
        if not self._by_name:
            return set()
        return {
            (event.customer_id, metric_id, event.happened_us)
            for event in events
            if event.happened_us < bound_us
            for metric_id in self._by_name.get(event.name, ())
        }


def is_indexed(metric: Metric) -> bool:
    """Whether the metric is a query whose result is kept by quarter-hour."""
    return metric.sql is not None and metric.sql.indexed
