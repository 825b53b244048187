"""Says what a metric would have measured, before it is saved (EVT-10): the same reading, of the same events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.catalog.create_metric import NewMetric
from candela_server.catalog.define_sql_metric import check_sql
from candela_server.catalog.model import Metric, MetricId
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from .measure_events import count_named_events, measure_events
from .model import UsageOf
from .query_usage import aggregate


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewMetric:
    """The metric to be, and whose events of which span it reads."""

    metric: NewMetric
    customer: CustomerRef
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPreview:
    """What the metric would measure, and of how many events."""

    value: Decimal
    event_count: int


async def preview_metric(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, ask: PreviewMetric
) -> MetricPreview:
    """The metric's usage of the window. Raises NotFound for an unknown customer, and TooManyEventsError."""
    async with db.reading(merchant_id) as tx:
        found = await customer.get_customer(tx, ask.customer)
    new = ask.metric
    metric = Metric(
        id=MetricId("met_preview"),
        slug=new.slug,
        name=new.name,
        aggregation=new.aggregation,
        event_names=new.event_names or (new.slug,),
        property=new.property,
        unique_of=new.unique_of,
        filters=new.filters,
        group_by=new.group_by,
        gauge=new.gauge,
        unit_name=new.unit_name,
        created_at=clock.now(),
    )
    who = UsageOf(customer_id=found.id)
    if new.sql is not None:
        check_sql(new.sql, bool(new.event_names), "metric")
        # Indexed or not, it is the same number.
        plain = replace(metric, sql=replace(new.sql, indexed=False))
        event_count = await count_named_events(events, merchant_id, plain, who, ask.window)
        value = await aggregate(events, merchant_id, plain, who, ask.window)
        return MetricPreview(value=value, event_count=event_count)
    [value], event_count = await measure_events(events, merchant_id, metric, who, [ask.window])
    return MetricPreview(value=value, event_count=event_count)
