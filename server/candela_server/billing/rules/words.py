"""How lines speak of days and quantities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from candela_server.billing.model import AppliedDiscount
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, format_decimal


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
    return f"{Decimal(format_decimal(value)):,f}"


def words_of(currency: str, discounts: Sequence[AppliedDiscount]) -> str:
    """What discounts took off a line, as the end of its description: "; Launch offer 50 %: −15.00"."""
    texts = []
    for one in discounts:
        if one.amount:
            percent = "" if one.percent is None else f" {number_of(one.percent)} %"
            amount = Money(currency=currency, amount=one.amount).text
            texts.append(f"; {one.name or 'discount'}{percent}: −{amount}")
    return "".join(texts)
