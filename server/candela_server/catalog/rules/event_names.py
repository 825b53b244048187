"""How events may be named, and how metrics name events and their properties (EVT-1, EVT-5).

A metric of a name that no event can have would measure nothing, for ever; and of two names that look alike, one is not
measured. So both are visible text without blanks at its ends.
"""

from __future__ import annotations

from typing import Final

from candela_server.kernel.read_names import own_id

MAX_EVENT_NAME_BYTES: Final = 128
MAX_PROPERTY_NAME_BYTES: Final = 64


def event_name(value: str) -> str:
    """The name of events. Raises ValueError."""
    return _named(value, MAX_EVENT_NAME_BYTES)


def property_name(value: str) -> str:
    """The name of a property. Raises ValueError."""
    return _named(value, MAX_PROPERTY_NAME_BYTES)


def _named(value: str, most: int) -> str:
    if not value:
        raise ValueError("must not be empty")
    size = len(value.encode())
    if size > most:
        raise ValueError(f"must have at most {most} bytes, not {size}")
    return own_id(value)
