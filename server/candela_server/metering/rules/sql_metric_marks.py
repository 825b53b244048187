"""Which quarter-hours of indexed SQL metrics a flush changes (EVT-6).

Data plane. Budget: nothing while a merchant has no indexed metric, 1 µs per event of one. Only names are looked at: a
quarter-hour that is marked without need is measured once more, one that is not marked would be wrong for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from candela_server.catalog.model import Metric

from .bucket import BUCKET_US

Mark: TypeAlias = tuple[str, str, str, int]
"""customer, metric, user or "" for the whole customer, start of the quarter-hour in microseconds."""


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


class IndexedMetrics:
    """The indexed metrics of one merchant, by the event names they read."""

    __slots__ = ("_by_name",)

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._by_name: dict[str, list[str]] = {}
        for metric in metrics:
            if is_indexed(metric):
                for name in metric.event_names:
                    self._by_name.setdefault(name, []).append(metric.id)

    def marks(self, events: Iterable[MarkedEvent]) -> list[Mark]:
        """What these events change, sorted: the order in which every flush takes the rows."""
        if not self._by_name:
            return []
        found: set[Mark] = set()
        for event in events:
            for metric_id in self._by_name.get(event.name, ()):
                bucket_us = event.happened_us - event.happened_us % BUCKET_US
                found.add((event.customer_id, metric_id, "", bucket_us))
                if event.user_id:
                    found.add((event.customer_id, metric_id, event.user_id, bucket_us))
        return sorted(found)


def is_indexed(metric: Metric) -> bool:
    """Whether the metric is a query whose result is kept by quarter-hour."""
    return metric.sql is not None and metric.sql.indexed
