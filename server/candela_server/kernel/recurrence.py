"""Recurrence: an RRULE and a time zone, and from them the periods that are billed (DSL-2, DSL-5).

RFC 5545 is followed where billing agrees with it. Where it does not:

- A day that a month lacks is that month's last day, and the anchor's day returns afterwards. (The
  RFC skips the month: seven charges a year for a subscription begun on 31 January.)
- A rule neither ends nor bursts. What could recur more than daily, or never, is refused with the
  reason.

Occurrence n is always computed from the anchor, never from occurrence n-1, so nothing drifts. The
rules here are few enough to be computed; no iterator is ever run over a caller's rule. How a rule
is written is in recurrence_text.py.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from .interval import Interval
from .recurrence_text import LAST_DAY, WEEKDAYS, Frequency, RecurrenceError, read_rule
from .time_zone import instant_of, time_zone_named

# A year of room before datetime.max, so that no zone's offset overflows it.
_LAST_YEAR: Final = 9998
_MONTHS_PER_YEAR: Final = 12
_DAYS_PER_WEEK: Final = 7

MAX_INTERVAL: Final[Mapping[Frequency, int]] = MappingProxyType(
    {
        Frequency.DAILY: 1000,
        Frequency.WEEKLY: 520,
        Frequency.MONTHLY: 120,
        Frequency.YEARLY: 10,
    }
)
"""About ten years at most: a period that outlives its contract is a mistake in the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A rule that recurs for ever, at most daily, at the anchor's time of day in the zone.

    What the rule leaves open comes from the anchor: its day of the month, its weekday, its month.
    `month_day` is 1 to 31, or LAST_DAY; `weekday` is 0 for Monday to 6 for Sunday; `month` is 1 to
    12.

    When the rule names another day than the anchor's, the first period is short: from the anchor to
    the first date of the rule after it. Dates of a rule with an interval count from the anchor's
    own week, month or year, as in the RFC: every third month on the 1st, anchored on 15 January,
    gives 15 January, 1 April, 1 July.
    """

    frequency: Frequency
    interval: int = 1
    month: int | None = None
    month_day: int | None = None
    weekday: int | None = None
    time_zone: str

    def __post_init__(self) -> None:
        most = MAX_INTERVAL[self.frequency]
        if not 1 <= self.interval <= most:
            raise RecurrenceError(f"INTERVAL must be 1 to {most} with FREQ={self.frequency}")
        _check_days(self)
        try:
            time_zone_named(self.time_zone)
        except ValueError as error:
            raise RecurrenceError(str(error), field="time_zone") from None

    @classmethod
    def parse(cls, rule: str, time_zone: str) -> Recurrence:
        """The rule written as an iCalendar RRULE, in its own zone or else in `time_zone`.

        A zone inside the rule, as `TZID=…` or in a line `DTSTART;TZID=…:…` before it, wins over
        `time_zone`. The rest of a DTSTART is not used: a period begins where its subscription does.
        Raises RecurrenceError.
        """
        parts = read_rule(rule)
        return cls(
            frequency=parts.frequency,
            interval=parts.interval,
            month=parts.month,
            month_day=parts.month_day,
            weekday=parts.weekday,
            time_zone=time_zone if parts.time_zone is None else parts.time_zone,
        )

    def __str__(self) -> str:
        """The rule in its one canonical spelling, without the zone."""
        parts = [f"FREQ={self.frequency}"]
        if self.interval != 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.month is not None:
            parts.append(f"BYMONTH={self.month}")
        if self.month_day is not None:
            parts.append(f"BYMONTHDAY={self.month_day}")
        if self.weekday is not None:
            parts.append(f"BYDAY={WEEKDAYS[self.weekday]}")
        return ";".join(parts)

    def occurrence(self, anchor_at: datetime, n: int) -> datetime:
        """The instant, in UTC, at which period `n` begins; number 0 is the anchor itself.

        Raises ValueError for a negative number or one beyond the calendar's end.
        """
        return self._begin(_Anchor.of(anchor_at, self), n)

    def period(self, anchor_at: datetime, n: int) -> Interval:
        """Period `n`.

        From occurrence n to occurrence n+1, so that periods neither overlap nor leave a gap.
        """
        anchor = _Anchor.of(anchor_at, self)
        return Interval(self._begin(anchor, n), self._begin(anchor, n + 1))

    def whole_period(self, anchor_at: datetime, n: int) -> Interval:
        """Period `n` as it would be had the rule begun on one of its own dates.

        It differs from `period` for period 0 only, and only when the anchor is no date of the rule:
        then it begins at the rule's date before the anchor, and period 0 is a part of it.
        """
        anchor = _Anchor.of(anchor_at, self)
        period = Interval(self._begin(anchor, n), self._begin(anchor, n + 1))
        if n > 0:
            return period
        return Interval(anchor.instant(self._date(anchor.day, -anchor.skipped)), period.end_at)

    def period_number_at(self, anchor_at: datetime, instant: datetime) -> int:
        """The number of the period that holds `instant`. Raises ValueError before the anchor.

        Computed from the calendar and then corrected by a step or two, however far the anchor lies
        back.
        """
        if instant < anchor_at:
            raise ValueError(f"{instant} lies before the anchor {anchor_at}")
        anchor = _Anchor.of(anchor_at, self)
        day = instant.astimezone(anchor.zone).date()
        n = max(0, self._steps_between(anchor.day, day) + anchor.skipped)
        while n > 0 and self._begin(anchor, n) > instant:
            n -= 1
        while self._begin(anchor, n + 1) <= instant:
            n += 1
        return n

    def period_containing(self, anchor_at: datetime, instant: datetime) -> Interval:
        """The period that holds `instant`. Raises ValueError before the anchor."""
        return self.period(anchor_at, self.period_number_at(anchor_at, instant))

    def _begin(self, anchor: _Anchor, n: int) -> datetime:
        """The instant at which period `n` begins."""
        if n < 0:
            raise ValueError(f"occurrence {n} would lie before the anchor")
        if n == 0:
            return anchor.at
        return anchor.instant(self._date(anchor.day, n - anchor.skipped))

    def _date(self, anchor_day: date, step: int) -> date:
        """The rule's date `step` intervals after the anchor's own week, month or year."""
        count = step * self.interval
        match self.frequency:
            case Frequency.DAILY:
                return _later(anchor_day, count)
            case Frequency.WEEKLY:
                weekday = anchor_day.weekday() if self.weekday is None else self.weekday
                return _later(anchor_day, count * _DAYS_PER_WEEK + weekday - anchor_day.weekday())
            case Frequency.MONTHLY:
                return self._in_month(anchor_day, anchor_day.month + count)
            case Frequency.YEARLY:
                month = self.month or anchor_day.month
                return self._in_month(anchor_day, month + count * _MONTHS_PER_YEAR)

    def _in_month(self, anchor_day: date, month: int) -> date:
        """The rule's day in the `month`-th month counted from January of the anchor's year."""
        years, month_index = divmod(month - 1, _MONTHS_PER_YEAR)
        year = anchor_day.year + years
        if year > _LAST_YEAR:
            raise ValueError(f"the occurrence lies beyond the year {_LAST_YEAR}")
        days = monthrange(year, month_index + 1)[1]
        wanted = anchor_day.day if self.month_day is None else self.month_day
        return date(year, month_index + 1, days if wanted == LAST_DAY else min(wanted, days))

    def _steps_between(self, anchor_day: date, day: date) -> int:
        """About how many intervals lie between two days.

        At most one more or less than the true number.
        """
        match self.frequency:
            case Frequency.DAILY:
                units = (day - anchor_day).days
            case Frequency.WEEKLY:
                units = (day - anchor_day).days // _DAYS_PER_WEEK
            case Frequency.MONTHLY:
                years = day.year - anchor_day.year
                units = years * _MONTHS_PER_YEAR + day.month - anchor_day.month
            case Frequency.YEARLY:
                units = day.year - anchor_day.year
        return units // self.interval


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchor:
    """Where a rule starts, as the zone's wall clocks show it.

    `skipped` is 1 when the rule has a date after the anchor within the anchor's own week, month or
    year: then that date is occurrence 1, and every later one stands one step earlier in the rule
    than its number says.
    """

    at: datetime
    local: datetime
    skipped: int
    zone: ZoneInfo

    @classmethod
    def of(cls, anchor_at: datetime, rule: Recurrence) -> _Anchor:
        zone = time_zone_named(rule.time_zone)
        local = anchor_at.astimezone(zone).replace(tzinfo=None, fold=0)
        later = rule._date(local.date(), 0) > local.date()
        return cls(at=anchor_at.astimezone(UTC), local=local, skipped=1 if later else 0, zone=zone)

    @property
    def day(self) -> date:
        return self.local.date()

    def instant(self, day: date) -> datetime:
        """The anchor's time of day on `day`, as a UTC instant."""
        return instant_of(datetime.combine(day, self.local.time()), self.zone)


def _later(day: date, days: int) -> date:
    if day.toordinal() + days > date(_LAST_YEAR, 12, 31).toordinal():
        raise ValueError(f"the occurrence lies beyond the year {_LAST_YEAR}")
    return day + timedelta(days=days)


def _check_days(rule: Recurrence) -> None:
    """Refuses parts that the frequency has no use for, and dates that no year has."""
    frequency, month, month_day = rule.frequency, rule.month, rule.month_day
    if rule.weekday is not None and frequency is not Frequency.WEEKLY:
        raise RecurrenceError(f"BYDAY goes with FREQ=WEEKLY only, not with FREQ={frequency}")
    if month is not None and frequency is not Frequency.YEARLY:
        raise RecurrenceError(f"BYMONTH goes with FREQ=YEARLY only, not with FREQ={frequency}")
    if month_day is not None and frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        raise RecurrenceError(f"BYMONTHDAY goes with FREQ=MONTHLY or YEARLY, not {frequency}")
    if month_day is not None and frequency is Frequency.YEARLY and month is None:
        raise RecurrenceError("BYMONTHDAY alone recurs monthly; add BYMONTH or use FREQ=MONTHLY")
    if rule.weekday is not None and not 0 <= rule.weekday < _DAYS_PER_WEEK:
        raise RecurrenceError("a weekday is 0 for Monday to 6 for Sunday")
    if month is not None and not 1 <= month <= _MONTHS_PER_YEAR:
        raise RecurrenceError("BYMONTH must be 1 to 12")
    if month_day is not None and month_day != LAST_DAY and not 1 <= month_day <= 31:
        raise RecurrenceError("BYMONTHDAY must be 1 to 31, or -1 for the last day of the month")
    # 29 February is let through: it clamps to the 28th in common years. 30 February never comes.
    if month is not None and month_day is not None and month_day > monthrange(2024, month)[1]:
        raise RecurrenceError(f"month {month} never has a day {month_day}; use BYMONTHDAY=-1")
