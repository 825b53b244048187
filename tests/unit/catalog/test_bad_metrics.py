"""Metrics that would count nothing are refused by their fields; good ones are read as sent (EVT-5, EVT-6)."""

from __future__ import annotations

from typing import Any

import pytest
from candela.catalog.v1 import metric_pb2

from candela_server.catalog.model import Aggregation
from candela_server.catalog.wire import new_metric_from_proto
from candela_server.kernel.errors import InvalidInput

from tests.unit.catalog.defining import fields_of


def a_filter(operator: int, *values: str, name: str = "region") -> metric_pb2.PropertyFilter:
    return metric_pb2.PropertyFilter(property=name, operator=operator, values=values)  # type: ignore[arg-type]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("one", "field"),
    [
        (a_filter(metric_pb2.FILTER_OPERATOR_UNSPECIFIED, "eu"), "filters[0].operator"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EQUALS), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EQUALS, "a", "b"), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_IN), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_IN, *["x"] * 101), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_PREFIX, ""), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_AT_LEAST, "many"), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_LESS_THAN, "1e3"), "filters[0].values[0]"),
        (a_filter(metric_pb2.FILTER_OPERATOR_EXISTS, "x"), "filters[0].values"),
        (a_filter(metric_pb2.FILTER_OPERATOR_ABSENT, name=""), "filters[0].property"),
    ],
)
def test_filter_that_means_nothing__is_refused_by_its_field(
    one: metric_pb2.PropertyFilter, field: str
) -> None:
    new = metric_pb2.NewMetric(
        slug="calls", name="Calls", aggregation=metric_pb2.AGGREGATION_SUM, filters=[one]
    )

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("EVT-1", "EVT-5")
@pytest.mark.parametrize(
    ("read", "field"),
    [
        ({"event_names": ["call", "call "]}, "event_names[1]"),
        ({"event_names": ["ca\nll"]}, "event_names[0]"),
        ({"event_names": ["é" * 65]}, "event_names[0]"),
        ({"property": " size"}, "property"),
        ({"group_by": ["region", "mo\tdel"]}, "group_by[1]"),
        (
            {"filters": [a_filter(metric_pb2.FILTER_OPERATOR_EXISTS, name="size ")]},
            "filters[0].property",
        ),
    ],
)
def test_name_that_no_event_can_have__is_refused_by_its_field(
    read: dict[str, Any], field: str
) -> None:
    new = metric_pb2.NewMetric(
        slug="calls", name="Calls", aggregation=metric_pb2.AGGREGATION_SUM, **read
    )

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("EVT-6")
def test_query_beside_an_aggregation__is_refused_field_by_field() -> None:
    new = metric_pb2.NewMetric(
        slug="calls",
        name="Calls",
        aggregation=metric_pb2.AGGREGATION_SUM,
        property="size",
        unique_of=metric_pb2.UNIQUE_OF_USER,
        group_by=["region"],
        sql=metric_pb2.SqlMetric(query=""),
    )

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert sorted(fields_of(caught)) == [
        "aggregation",
        "group_by",
        "property",
        "sql.query",
        "unique_of",
    ]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("new", "field"),
    [
        (metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_UNSPECIFIED), "aggregation"),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_COUNT, property="size"),
            "property",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_SUM, unique_of=metric_pb2.UNIQUE_OF_USER
            ),
            "unique_of",
        ),
        (metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_UNIQUE), "property"),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_UNIQUE,
                unique_of=metric_pb2.UNIQUE_OF_CUSTOMER,
                property="size",
            ),
            "property",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_UNIQUE,
                unique_of=99,  # type: ignore[arg-type]
            ),
            "unique_of",
        ),
        (
            metric_pb2.NewMetric(
                aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", "b", "c", "d"]
            ),
            "group_by",
        ),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", "a"]),
            "group_by[1]",
        ),
        (
            metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, group_by=["a", ""]),
            "group_by[1]",
        ),
    ],
    ids=[
        "no aggregation",
        "count of a property",
        "sum of different users",
        "different values of nothing",
        "different customers of a property",
        "different what",
        "four groups",
        "the same group twice",
        "a group without a name",
    ],
)
def test_metric_that_would_count_nothing__is_refused_by_its_field(
    new: metric_pb2.NewMetric, field: str
) -> None:
    new.slug = new.name = "calls"

    with pytest.raises(InvalidInput) as caught:
        new_metric_from_proto(new)

    assert fields_of(caught) == [field]


@pytest.mark.spec("EVT-5")
def test_metric_with_every_option__is_read_as_sent() -> None:
    new = new_metric_from_proto(
        metric_pb2.NewMetric(
            slug="storage",
            name="Storage",
            aggregation=metric_pb2.AGGREGATION_WEIGHTED_SUM,
            event_names=["disk-resized"],
            property="gigabytes",
            filters=[a_filter(metric_pb2.FILTER_OPERATOR_PREFIX, "eu-")],
            group_by=["region", "tier"],
            unit_name="gigabyte-month",
        )
    )

    assert new.aggregation is Aggregation.WEIGHTED_SUM
    assert (new.property, new.group_by, len(new.filters)) == (
        "gigabytes",
        ("region", "tier"),
        1,
    )
