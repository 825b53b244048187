"""How lines speak of days and quantities."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal


def dates_of(period: Interval, time_zone: str) -> str:
    """The period's days in the subscription's zone; a period that ends at a time of day ends on that day."""
    zone = ZoneInfo(time_zone)
    first = period.start_at.astimezone(zone).date()
    last = (period.end_at - timedelta(microseconds=1)).astimezone(zone).date()
    if first == last:
        return f"{first.day} {first:%b %Y}"
    first_text = f"{first.day} {first:%b}" + (f" {first.year}" if first.year != last.year else "")
    return f"{first_text} – {last.day} {last:%b %Y}"


def number_of(value: Decimal) -> str:
    """A quantity with its thousands apart: 1,365."""
    return f"{Decimal(format_decimal(value)):,}"
