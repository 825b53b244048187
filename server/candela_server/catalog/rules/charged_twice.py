"""Prices in which more than one component charges the usage of one metric (DSL-1)."""

from __future__ import annotations

from candela_server.catalog.model import MetricId
from candela_server.catalog.price import Component, Price


def charged_twice(price: Price) -> list[str]:
    """What a seller should know of such a price: it may be meant, as a fee beside a tariff is, and often is not."""
    by_metric: dict[MetricId, list[Component]] = {}
    for component in price.components:
        if component.metric_id is not None:
            by_metric.setdefault(MetricId(component.metric_id), []).append(component)
    return [
        f"components {' and '.join(repr(one.name) for one in some)} charge the usage of one metric, each of them the "
        f"whole of it; credits are drawn by {some[0].name!r} alone; keep one of them unless that is meant"
        for some in by_metric.values()
        if len(some) > 1
    ]
