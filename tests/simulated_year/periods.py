"""When billing periods begin and end, by the calendar alone (DSL-5)."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo


@cache
def boundary(anchor: datetime, zone: str, every: str, number: int) -> datetime:
    """Where period `number` begins: the anchor's wall time, on the anchor's day or the month's last."""
    local = anchor.astimezone(ZoneInfo(zone))
    day = local.date()
    if every == "week":
        day += timedelta(days=7 * number)
    else:
        months = day.month - 1 + number * {"month": 1, "year": 12}[every]
        year, month = day.year + months // 12, months % 12 + 1
        day = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
    return _instant(datetime.combine(day, local.time().replace(fold=0)), zone)


def number_at(anchor: datetime, zone: str, every: str, at: datetime) -> int:
    """Which period contains an instant."""
    number = 0
    while boundary(anchor, zone, every, number + 1) <= at:
        number += 1
    return number


def days_later(at: datetime, zone: str, days: int) -> datetime:
    """The same time of day so many days later."""
    local = at.astimezone(ZoneInfo(zone))
    return _instant((local.replace(tzinfo=None, fold=0) + timedelta(days=days)), zone)


def day_of(at: datetime, zone: str) -> date:
    """The calendar day of an instant."""
    return at.astimezone(ZoneInfo(zone)).date()


def _instant(wall: datetime, zone: str) -> datetime:
    # In a gap, the offset before it moves the instant forward by the gap; of two, the first counts.
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
