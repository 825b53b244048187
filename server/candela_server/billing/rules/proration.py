"""Which share of a period's amount belongs to its last days (SEAT-1, SUB-6).

The unit is the calendar day of the subscription's time zone, whatever the clocks do on it. A day on which something
changes belongs to the new state. The denominator is the component's whole period that holds the day: 28 to 31 days of a
month, 365 or 366 of a year. Each amount is computed exactly and rounded once.

Usage is never prorated by price: it is cut by time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days, local_date


def days_left(period: Interval, from_day: date, time_zone: str) -> int:
    """How many of the period's days lie on or after `from_day`: all of them from its first day on, none at its end.

    Raises ValueError for a day outside the period.
    """
    left = (local_date(period.end_at, time_zone) - from_day).days
    if not 0 <= left <= civil_days(period, time_zone):
        raise ValueError(f"{from_day} lies outside {period} in {time_zone}")
    return left


def prorate(amount: Money, period: Interval, from_day: date, time_zone: str) -> Money:
    """What `amount`, due for the whole period, comes to for its days from `from_day` on; rounded once.

    `period` is the component's whole period; where a first period is short it is the one it would have been:
    `Recurrence.whole_period`. Raises ValueError for a day outside it.
    """
    whole = civil_days(period, time_zone)
    if whole == 0:
        # A period within one day, as when the first one begins hours before a date of its rule.
        return amount.rounded()
    return amount.share(days_left(period, from_day, time_zone), whole)


def credit_for_rest(
    charged: Money, credited: Money, period: Interval, from_day: date, time_zone: str
) -> Money:
    """What is given back of one line for the days from `from_day` on: 0 or more.

    `charged` is what that line really cost, net of its discounts, and `credited` what was given back of it before: so
    nothing is computed from a list price, and no line gives back more than it took, however often it is changed.
    """
    rest = charged - credited
    if rest.is_negative or rest.is_zero:
        return Money.zero(charged.currency)
    return min(prorate(charged, period, from_day, time_zone), rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """On one day a component's amount for its whole period went from one to another."""

    day: date
    before: Money
    after: Money


def net_changes(changes: Sequence[Change]) -> list[Change]:
    """The changes of one component, in order of time, each day's as one: from the day's first state to its last.

    A change and its undo on one day are no change, and leave nothing to charge.
    """
    by_day: dict[date, Change] = {}
    for change in changes:
        first = by_day.get(change.day, change)
        by_day[change.day] = Change(day=change.day, before=first.before, after=change.after)
    return [one for one in by_day.values() if one.before != one.after]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proration:
    """What a change gives back of the old state and charges for the new one; both 0 or more, each rounded once."""

    credit: Money
    charge: Money

    @property
    def net(self) -> Money:
        """What is owed for the change; negative when it is owed to the customer."""
        return self.charge - self.credit


def proration_of(
    change: Change, *, charged: Money, credited: Money, period: Interval, time_zone: str
) -> Proration:
    """What a change within a paid period costs: the old line's rest back, the new amount's rest due.

    `charged` and `credited` are those of the line that paid for the old state: see `credit_for_rest`.
    """
    return Proration(
        credit=credit_for_rest(charged, credited, period, change.day, time_zone),
        charge=prorate(change.after, period, change.day, time_zone),
    )
