"""How a metric's group-by properties put events into groups, and what groups are called (EVT-5).

A group is the values of the properties, in the metric's order; an event without one has the empty text there. In
rollups a group stands as a hash of its values, its dimension, because the longest values would not fit an index row.
The Python form and the SQL form must give the same dimension; a property test holds them together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, LiteralString, TypeAlias, cast

from .event_value import Properties, property_text

Group: TypeAlias = tuple[str, ...]
"""One value per group-by property."""

ALL_GROUPS: Final = ""
"""In place of a dimension: all events, whatever their group."""

OVERFLOW: Final = "*"
"""The dimension of all groups that found no place among those that are kept apart."""

MAX_GROUPS: Final = 1000
"""Groups of one customer and metric that are kept apart: more than any price list has lines. What comes later is
counted together, so that a property with endless values, as a request's id, costs one rollup more and not millions."""

_DIMENSION_BYTES: Final = 16


def group_of(properties: Properties, group_by: Sequence[str]) -> Group:
    """The group of an event with these properties."""
    return tuple(
        [property_text(properties[name]) if name in properties else "" for name in group_by]
    )


def dimension(group: Group) -> str:
    """What stands for the group in rollups."""
    return sha256(_canonical(group).encode()).digest()[:_DIMENSION_BYTES].hex()


def group_sql(group_by: Sequence[str]) -> tuple[LiteralString, dict[str, Any]]:
    """The values of an event's group as text[], over its properties, and the parameters that the text names."""
    values, parameters = [], {}
    for number, name in enumerate(group_by):
        values.append(f"coalesce(properties ->> %(group_{number})s::text, '')")
        parameters[f"group_{number}"] = name
    # Made of the text above and of numbers alone; names are parameters.
    return cast(LiteralString, f"ARRAY[{', '.join(values)}]::text[]"), parameters  # type: ignore[redundant-cast]


def dimension_sql(values: LiteralString) -> LiteralString:
    """The dimension of a group whose values are the SQL expression `values`."""
    return f"encode(substring(sha256(convert_to(to_jsonb({values})::text, 'UTF8')) FOR 16), 'hex')"


def group_name(group: Group) -> str:
    """What the contract calls the group: its value, or a JSON array of its values when there are several."""
    return group[0] if len(group) == 1 else _canonical(group)


def group_named(name: str, group_by: Sequence[str]) -> Group:
    """The group that the contract calls by this name. Raises ValueError."""
    if len(group_by) == 1:
        return (name,)
    try:
        values = json.loads(name)
    except ValueError:
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(group_by)
        or not all(isinstance(value, str) and _is_text(value) for value in values)
    ):
        raise ValueError(
            f"must be a JSON array of {len(group_by)} texts, the values of {', '.join(group_by)}"
        )
    return tuple(values)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no event holds
        return False
    return True


def _canonical(group: Group) -> str:
    """The group as PostgreSQL writes a jsonb array of texts."""
    return json.dumps(group, ensure_ascii=False)
