"""A metric that is a query, between the contract and the model (EVT-6). What the query may say, rules decide."""

from __future__ import annotations

from candela.catalog.v1 import metric_pb2

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import slug
from candela_server.kernel.read_names import line

from .create_metric import NewMetric
from .metric_filter_wire import filters_from_proto
from .model import Aggregation, SqlMetric
from .rules.event_names import event_name

MAX_QUERY = 10_000
MAX_EVENT_NAMES = 20


def new_sql_metric_from_proto(fields: FieldViolations, new: metric_pb2.NewMetric) -> NewMetric:
    """The new metric; every wrong field is noted."""
    for name, is_set in (
        ("aggregation", bool(new.aggregation)),
        ("property", bool(new.property)),
        ("unique_of", bool(new.unique_of)),
        ("group_by", bool(new.group_by)),
        ("gauge", new.gauge),
    ):
        if is_set:
            fields.add(name, "must be absent with sql: the query says what is measured")
    if len(new.event_names) > MAX_EVENT_NAMES:
        fields.add("event_names", f"must have at most {MAX_EVENT_NAMES} names")
    return NewMetric(
        slug=fields.read("slug", slug, new.slug),
        name=fields.read("name", line(1, 200), new.name),
        aggregation=Aggregation.SQL,
        event_names=fields.read_each("event_names", event_name, new.event_names),
        property=None,
        unit_name=fields.read("unit_name", line(0, 50), new.unit_name),
        filters=fields.read("filters", filters_from_proto, new.filters),
        sql=SqlMetric(
            query=fields.read("sql.query", _query, new.sql.query),
            indexed=new.sql.indexed,
        ),
    )


def _query(query: str) -> str:
    """The query's text, which may have lines."""
    if not 1 <= len(query) <= MAX_QUERY:
        raise ValueError(f"must have 1 to {MAX_QUERY} characters, not {len(query)}")
    return query


def sql_to_proto(sql: SqlMetric) -> metric_pb2.SqlMetric:
    """The query as the contract shows it."""
    return metric_pb2.SqlMetric(query=sql.query, indexed=sql.indexed)
