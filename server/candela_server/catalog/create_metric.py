"""Adds a metric."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import store
from .define_sql_metric import check_sql
from .model import Aggregation, Metric, MetricId, PropertyFilter, SqlMetric, UniqueOf
from .terms_json import filters_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMetric:
    """What the new metric counts. Events named like the slug are read when no names are given."""

    slug: str
    name: str
    aggregation: Aggregation
    event_names: tuple[str, ...]
    property: str | None
    unit_name: str
    unique_of: UniqueOf | None = None
    filters: tuple[PropertyFilter, ...] = ()
    group_by: tuple[str, ...] = ()
    sql: SqlMetric | None = None
    gauge: bool = False


async def create_metric(tx: Tx, clock: Clock, new: NewMetric, *, at: str = "metric") -> Metric:
    """Adds a metric, which counts every event from now on (EVT-5). `at` is where the request has it.

    Raises SlugTakenError and SqlMetricRefusedError.
    """
    if new.sql is not None:
        check_sql(new.sql, bool(new.event_names), at)
    metric = Metric(
        id=MetricId(new_id("met")),
        slug=new.slug,
        name=new.name,
        aggregation=new.aggregation,
        event_names=new.event_names or (new.slug,),
        property=new.property,
        unique_of=new.unique_of,
        filters=new.filters,
        group_by=new.group_by,
        sql=new.sql,
        gauge=new.gauge,
        unit_name=new.unit_name,
        created_at=clock.now(),
    )
    await store.insert_metric(tx, metric)
    await tx.audit(
        "metric.created",
        metric.id,
        after={
            "slug": metric.slug,
            "aggregation": metric.aggregation,
            "event_names": list(metric.event_names),
            "property": metric.property,
            "unique_of": metric.unique_of,
            "filters": filters_to_json(metric.filters),
            "group_by": list(metric.group_by),
            "sql": metric.sql.query if metric.sql else None,
            "indexed": metric.sql.indexed if metric.sql else False,
            "gauge": metric.gauge,
        },
    )
    await tx.catalog_grew()
    return metric
