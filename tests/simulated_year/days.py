"""The days of the simulated year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGIN = datetime(2027, 12, 30, 12, 0, tzinfo=UTC)
"""The year holds a 29 February, and begins before two long months."""
DAYS = 366
PRICES_INCLUDE_TAX_SINCE = BEGIN + timedelta(days=190)
"""Just after this tick the merchant changes its mind; drafts follow."""


def ticks() -> list[datetime]:
    """The instants at which clocks stop and customers act: each day at the same time."""
    return [BEGIN + timedelta(days=day) for day in range(DAYS)]


TICKS = frozenset(ticks())


def next_tick(after: datetime) -> datetime:
    """The first of them after an instant."""
    days = max(-1, (after - BEGIN) // timedelta(days=1))
    return BEGIN + timedelta(days=days + 1)
