"""A metric's filters and groups, between the contract and the model; what no event could pass is refused (EVT-5)."""

from __future__ import annotations

from collections.abc import Sequence

from candela.catalog.v1 import metric_pb2

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import decimal, text

from .members import member_named
from .model import FilterOperator, PropertyFilter
from .rules.event_names import property_name

MAX_FILTERS = 10
MAX_FILTER_VALUES = 100
MAX_VALUE_LENGTH = 500
MAX_GROUP_BY = 3

_OPERATORS = {
    FilterOperator.EQUALS: metric_pb2.FILTER_OPERATOR_EQUALS,
    FilterOperator.IN: metric_pb2.FILTER_OPERATOR_IN,
    FilterOperator.PREFIX: metric_pb2.FILTER_OPERATOR_PREFIX,
    FilterOperator.AT_LEAST: metric_pb2.FILTER_OPERATOR_AT_LEAST,
    FilterOperator.LESS_THAN: metric_pb2.FILTER_OPERATOR_LESS_THAN,
    FilterOperator.EXISTS: metric_pb2.FILTER_OPERATOR_EXISTS,
    FilterOperator.ABSENT: metric_pb2.FILTER_OPERATOR_ABSENT,
}
_RANGES = (FilterOperator.AT_LEAST, FilterOperator.LESS_THAN)
_WITHOUT_VALUES = (FilterOperator.EXISTS, FilterOperator.ABSENT)


def filters_from_proto(filters: Sequence[metric_pb2.PropertyFilter]) -> tuple[PropertyFilter, ...]:
    """The filters; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if len(filters) > MAX_FILTERS:
            fields.add("", f"must be at most {MAX_FILTERS}, not {len(filters)}")
        return fields.read_each("", _filter_from_proto, filters)


def filter_to_proto(one: PropertyFilter) -> metric_pb2.PropertyFilter:
    """The filter as the contract shows it."""
    return metric_pb2.PropertyFilter(
        property=one.property, operator=_OPERATORS[one.operator], values=one.values
    )


def group_by_from_proto(names: Sequence[str]) -> tuple[str, ...]:
    """The group-by properties, in order; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if len(names) > MAX_GROUP_BY:
            fields.add("", f"must be at most {MAX_GROUP_BY}, not {len(names)}")
        for index, name in enumerate(names):
            if name in names[:index]:
                fields.add(f"[{index}]", f"{name!r} is named twice")
        return fields.read_each("", property_name, names)


def _filter_from_proto(one: metric_pb2.PropertyFilter) -> PropertyFilter:
    with FieldViolations() as fields:
        operator = fields.read("operator", member_named, _OPERATORS, one.operator)
        values = fields.read_each("values", text(0, MAX_VALUE_LENGTH), one.values)
        if operator in _OPERATORS:
            _check_values(fields, operator, one.values)
        return PropertyFilter(
            fields.read("property", property_name, one.property), operator, tuple(values)
        )


def _check_values(fields: FieldViolations, operator: FilterOperator, values: Sequence[str]) -> None:
    count, name = len(values), operator.name
    if operator in _WITHOUT_VALUES:
        if count:
            fields.add("values", f"must be empty with {name}, not {count}")
    elif operator is FilterOperator.IN:
        if not 1 <= count <= MAX_FILTER_VALUES:
            fields.add("values", f"must be 1 to {MAX_FILTER_VALUES} with IN, not {count}")
    elif count != 1:
        fields.add("values", f"must be one with {name}, not {count}")
    elif operator in _RANGES:
        fields.read("values[0]", decimal(), values[0])
    elif operator is FilterOperator.PREFIX and not values[0]:
        fields.add("values[0]", "must not be empty; use EXISTS for any value")
