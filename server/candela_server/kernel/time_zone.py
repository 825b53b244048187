"""IANA time zones: which names count, and a civil day's place on the line of UTC instants.

Instants are UTC everywhere; a zone's name is kept beside them, never an offset. What recurs lives
in `recurrence`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from .interval import Interval

# Files that some systems keep beside the zones: one means "this machine's zone", the other "not
# configured".
_NOT_ZONES: Final = frozenset({"localtime", "Factory"})


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES


def time_zone_named(name: str) -> ZoneInfo:
    """The zone with this IANA name, spelled exactly. Raises ValueError for any other text."""
    # Looked up among the known names first: ZoneInfo itself would open a file of the caller's
    # choosing.
    if name not in _names():
        raise ValueError(
            f"{name[:64]!r} is not an IANA time zone; use a name such as America/New_York or UTC"
        )
    return ZoneInfo(name)


def local_date(instant: datetime, time_zone: str) -> date:
    """The calendar day that a wall clock in the zone shows at `instant`."""
    return instant.astimezone(time_zone_named(time_zone)).date()


def start_of_day(day: date, time_zone: str) -> datetime:
    """The first instant of a calendar day in the zone, in UTC.

    Some days do not begin at midnight.
    """
    return instant_of(datetime.combine(day, time.min), time_zone_named(time_zone))


def civil_days(span: Interval, time_zone: str) -> int:
    """How many local midnights lie between the span's ends: its length in billing days.

    March 2026 has 31 in New York though it lasts 30 days and 23 hours; never compute this from
    elapsed time.
    """
    return (local_date(span.end_at, time_zone) - local_date(span.start_at, time_zone)).days


def days_later(instant: datetime, days: int, time_zone: str) -> datetime:
    """The instant at which the wall clock in the zone shows the same time, so many calendar days on."""
    if not days:
        return instant  # of a time that happens twice it may be the second
    zone = time_zone_named(time_zone)
    local = instant.astimezone(zone).replace(tzinfo=None)
    return instant_of(local + timedelta(days=days), zone)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a naive local time.

    A time that the clocks skip moves forward by the gap: 02:30 on a spring Sunday in New York is
    03:30. Of a time that happens twice it is the first. With fold=0 that is what PEP 495 defines:
    both use the offset before the change.
    """
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
