"""Which monthly partitions a key is claimed in, so that it counts once across the border of two (EVT-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

BORDER: Final = timedelta(hours=1)
"""How near to a border of months a key is claimed on both sides. More than the difference between two servers'
clocks plus the longest transaction, each of which is seconds."""

_CLOSED_AFTER: Final = timedelta(days=1)

DEFAULT_WINDOW: Final = timedelta(days=90)
"""How long a key is remembered at least, if the merchant says nothing: longer than the lateness bound, or a late
repetition would count twice."""


@dataclass(frozen=True, slots=True)
class Months:
    """Where keys are claimed now: in `claimed`, in this order, after a look at all months from `oldest` on.

    Why no key is counted twice although two servers may believe in different months: call two claims of one key A
    and B. If both are made within BORDER of the border, both insert into the earlier month first, and its unique
    index lets one of them win. If A is before that zone and B in it, both insert into the earlier month, too; if A
    is in it and B behind it, both insert into the later one, and whoever loses there gives its claim of the earlier
    month back. If A is before the zone and B behind it, they are two BORDERs apart: A's transaction ended long
    before B looked at the earlier month, so B sees it.
    """

    claimed: tuple[date, ...]
    oldest: date


def claim_months(now: datetime, window: timedelta = DEFAULT_WINDOW) -> Months:
    """Where keys are claimed at `now` on the server's clock."""
    before, after = _month(now - BORDER), _month(now + BORDER)
    claimed = (before,) if before == after else (before, after)
    return Months(claimed, oldest_month(now, window))


def oldest_month(now: datetime, window: timedelta) -> date:
    """The first month whose keys a merchant with this window remembers; so keys are forgotten month by month."""
    return _month(now - window)


def months_ahead(now: datetime) -> tuple[date, ...]:
    """The months whose partitions should be there before they are needed."""
    first = _month(now)
    second = next_month(first)
    return (_month(now - BORDER), first, second, next_month(second))


def next_month(month: date) -> date:
    """The first day of the month after this one."""
    return (month + timedelta(days=31)).replace(day=1)


def is_closed(month: date, now: datetime) -> bool:
    """Whether no server claims a key in this month any more, even one whose clock is most of a day behind."""
    end = next_month(month)
    return now >= datetime(end.year, end.month, 1, tzinfo=UTC) + _CLOSED_AFTER


def _month(instant: datetime) -> date:
    return instant.astimezone(UTC).date().replace(day=1)
