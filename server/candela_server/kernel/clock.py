"""What time it is.

A value that is passed in, so that a test clock can stand in for the system's (OPS-2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...


class SystemClock:
    """The machine's own time. Made once, by the composition root."""

    __slots__ = ()

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved, and moves forward only."""

    __slots__ = ("_now",)

    def __init__(self, at: datetime) -> None:
        self._now = _checked(at)

    def now(self) -> datetime:
        """The instant at which the clock stands, aware UTC."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Moves the clock to `to`. Raises ValueError when that would be backwards."""
        if _checked(to) < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {to}")
        self._now = to


def _checked(instant: datetime) -> datetime:
    if instant.utcoffset() != timedelta(0):
        raise ValueError(f"{instant} is not an aware UTC instant")
    return instant
