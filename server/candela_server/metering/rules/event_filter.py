"""Which events a metric's filters let through, in Python for ingestion and in SQL for history (EVT-5).

Ranges compare as decimals, everything else as text; an event without the property fails every filter but ABSENT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, LiteralString, TypeAlias, assert_never, cast

from candela_server.catalog.model import FilterOperator, PropertyFilter

from .event_value import Properties, Property, property_text

Predicate: TypeAlias = Callable[[Properties], bool]


def predicate(filters: Sequence[PropertyFilter]) -> Predicate:
    """Whether all filters hold for an event's properties."""
    checks = [_check(one) for one in filters]
    return lambda properties: all(check(properties) for check in checks)


def condition(
    filters: Sequence[PropertyFilter],
) -> tuple[LiteralString, dict[str, Any]]:
    """The same over the column `properties`, and the parameters that it names."""
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for number, one in enumerate(filters):
        parts.append(_sql(one.operator, f"filter_{number}"))
        parameters[f"filter_{number}"] = one.property
        parameters[f"filter_{number}_values"] = list(one.values)
    # Made of the texts below and of numbers alone; names and values are parameters.
    return cast(LiteralString, " AND ".join(parts) or "true"), parameters  # type: ignore[redundant-cast]


def _check(one: PropertyFilter) -> Predicate:
    name = one.property
    match one.operator:
        case FilterOperator.EXISTS:
            return lambda properties: name in properties
        case FilterOperator.ABSENT:
            return lambda properties: name not in properties
        case FilterOperator.EQUALS | FilterOperator.IN:
            wanted = frozenset(one.values)
            return _on_text(name, lambda found: found in wanted)
        case FilterOperator.PREFIX:
            prefix = one.values[0]
            return _on_text(name, lambda found: found.startswith(prefix))
        case FilterOperator.AT_LEAST:
            least = Decimal(one.values[0])
            return _on_number(name, lambda found: found >= least)
        case FilterOperator.LESS_THAN:
            bound = Decimal(one.values[0])
            return _on_number(name, lambda found: found < bound)
        case _:
            assert_never(one.operator)


def _on_text(name: str, holds: Callable[[str], bool]) -> Predicate:
    def check(properties: Properties) -> bool:
        found: Property | None = properties.get(name)
        return found is not None and holds(property_text(found))

    return check


def _on_number(name: str, holds: Callable[[Decimal], bool]) -> Predicate:
    def check(properties: Properties) -> bool:
        found: Property | None = properties.get(name)
        return isinstance(found, Decimal) and holds(found)

    return check


def _sql(operator: FilterOperator, name: str) -> str:
    text = f"(properties ->> %({name})s::text)"
    values = f"%({name}_values)s::text[]"
    # CASE, because nothing else keeps the cast away from what is no number.
    number = f"(CASE WHEN jsonb_typeof(properties -> %({name})s::text) = 'number' THEN {text}::numeric END)"
    match operator:
        case FilterOperator.EXISTS:
            return f"{text} IS NOT NULL"
        case FilterOperator.ABSENT:
            return f"{text} IS NULL"
        case FilterOperator.EQUALS | FilterOperator.IN:
            return f"coalesce({text} = ANY({values}), false)"
        case FilterOperator.PREFIX:
            return f"coalesce(starts_with({text}, ({values})[1]), false)"
        case FilterOperator.AT_LEAST:
            return f"coalesce({number} >= ({values})[1]::numeric, false)"
        case FilterOperator.LESS_THAN:
            return f"coalesce({number} < ({values})[1]::numeric, false)"
        case _:
            assert_never(operator)
