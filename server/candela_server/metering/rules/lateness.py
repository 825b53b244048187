"""How far from the customer's present an event may lie (EVT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

EARLY_TOLERANCE = timedelta(minutes=5)
"""How far ahead a sender's clock may run."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first and last acceptable instant of an event, both inclusive, in microseconds since 1970."""

    earliest_us: int
    latest_us: int


def bounds(now_us: int, lateness: timedelta) -> Bounds:
    """What is acceptable at `now_us` on the customer's clock, which may be a test clock."""
    return Bounds(
        now_us - lateness // timedelta(microseconds=1),
        now_us + EARLY_TOLERANCE // timedelta(microseconds=1),
    )
