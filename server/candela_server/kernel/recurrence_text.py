"""The text of a recurrence rule: an iCalendar RRULE, read into its parts or refused with the reason (DSL-2, DSL-5).

What the parts mean together, and which dates they make, is in recurrence.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_RULE_LENGTH: Final = 256
"""The longest rule that means anything has about 130 characters, its zone and start included."""

LAST_DAY: Final = -1
"""BYMONTHDAY=-1: the last day of the month, whichever that is."""

WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_REFUSED_PARTS: Final = {
    "COUNT": "a rule has no end of its own; cancel the subscription or schedule the change",
    "UNTIL": "a rule has no end of its own; cancel the subscription or schedule the change",
    "BYSETPOS": "choosing among several days is not supported; name the one day with BYMONTHDAY",
    "BYYEARDAY": "is not supported; use BYMONTH and BYMONTHDAY",
    "BYWEEKNO": "is not supported; use FREQ=WEEKLY",
    "BYHOUR": "the time of day comes from the subscription's start",
    "BYMINUTE": "the time of day comes from the subscription's start",
    "BYSECOND": "the time of day comes from the subscription's start",
    "WKST": "weeks begin on Monday",
    "RSCALE": "only the Gregorian calendar is supported",
    "SKIP": "a day that a month lacks is always that month's last day",
}
_REFUSED_LINES: Final = ("EXRULE", "EXDATE", "RDATE")
_TOO_OFTEN: Final = ("SECONDLY", "MINUTELY", "HOURLY")

_DTSTART: Final = re.compile(r"DTSTART;TZID=([^:;]+):\d{8}T\d{6}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,4}")


class Frequency(StrEnum):
    """The unit that a rule counts in."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class RecurrenceError(ValueError):
    """A rule or zone that cannot be honoured.

    `field` is recurrence_rule or time_zone; `reason` says why.
    """

    def __init__(self, reason: str, *, field: str = "recurrence_rule") -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleParts:
    """What a rule says, each part for itself; None for what it leaves open."""

    frequency: Frequency
    interval: int
    month: int | None
    month_day: int | None
    weekday: int | None
    time_zone: str | None


def read_rule(rule: str) -> RuleParts:
    """The parts of a rule. Raises RecurrenceError for one that cannot be read, or holds what is not supported."""
    parts, own_zone = _read_parts(rule)
    return RuleParts(
        frequency=_read_frequency(parts.get("FREQ")),
        interval=_read_number("INTERVAL", parts.get("INTERVAL"), 1, 1000) or 1,
        month=_read_number("BYMONTH", parts.get("BYMONTH"), 1, 12),
        month_day=_read_month_day(parts.get("BYMONTHDAY")),
        weekday=_read_weekday(parts.get("BYDAY")),
        time_zone=own_zone,
    )


def time_zone_in(rule: str) -> str | None:
    """The zone that the rule itself names, or None.

    Raises RecurrenceError for a rule that cannot be read.
    """
    return _read_parts(rule)[1]


def _read_parts(rule: str) -> tuple[dict[str, str], str | None]:
    """The rule's parts by upper-case name, without the zone.

    And the zone, when the rule names one.
    """
    if len(rule) > MAX_RULE_LENGTH:
        raise RecurrenceError(f"must have at most {MAX_RULE_LENGTH} characters")
    text, start_zone = _split_start(rule.strip())
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.upper()
        if not name or not equals or not value:
            raise RecurrenceError(f"{part!r} is not of the form NAME=VALUE; write FREQ=MONTHLY")
        if name in parts:
            raise RecurrenceError(f"{name} is given twice")
        if name in _REFUSED_PARTS:
            raise RecurrenceError(f"{name}: {_REFUSED_PARTS[name]}")
        if name not in ("FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "BYDAY", "TZID"):
            raise RecurrenceError(f"{name!r} is not a part of a recurrence rule")
        parts[name] = value if name == "TZID" else value.upper()
    own_zone = parts.pop("TZID", None)
    if own_zone is not None and start_zone is not None and own_zone != start_zone:
        raise RecurrenceError("names two time zones; keep one")
    return parts, own_zone or start_zone


def _split_start(text: str) -> tuple[str, str | None]:
    """The rule proper, and the zone of the DTSTART line before it, if there is one."""
    zone: str | None = None
    lines = text.splitlines() or [""]
    if lines[0].upper().startswith("DTSTART"):
        start = _DTSTART.fullmatch(lines[0].strip())
        if start is None:
            raise RecurrenceError(
                "DTSTART serves to name a zone only, as DTSTART;TZID=Europe/Berlin:20260131T100000"
            )
        zone = start[1]
        lines = lines[1:]
    if any(line.upper().startswith(_REFUSED_LINES) for line in lines):
        raise RecurrenceError("exceptions and extra dates are not supported; keep the one RRULE")
    if len(lines) != 1:
        raise RecurrenceError("must be one RRULE, with at most a DTSTART line before it")
    rule = lines[0].strip()
    return (rule[len("RRULE:") :] if rule.upper().startswith("RRULE:") else rule), zone


def _read_frequency(text: str | None) -> Frequency:
    if text is None:
        raise RecurrenceError("must say how often: FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")
    if text in _TOO_OFTEN:
        raise RecurrenceError(f"FREQ={text} recurs more than daily; use DAILY or a longer one")
    try:
        return Frequency(text)
    except ValueError:
        raise RecurrenceError(f"FREQ={text} is not DAILY, WEEKLY, MONTHLY or YEARLY") from None


def _read_number(name: str, text: str | None, least: int, most: int) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise RecurrenceError(f"{name} must be one whole number from {least} to {most}")
    return int(text)


def _read_month_day(text: str | None) -> int | None:
    if text == str(LAST_DAY):
        return LAST_DAY
    if text is not None and text.startswith("-"):
        raise RecurrenceError("BYMONTHDAY counts from the month's end as -1 only, its last day")
    if text is not None and "," in text:
        raise RecurrenceError("BYMONTHDAY must be one day; use one component for each day")
    return _read_number("BYMONTHDAY", text, 1, 31)


def _read_weekday(text: str | None) -> int | None:
    if text is None:
        return None
    if text not in WEEKDAYS:
        raise RecurrenceError("BYDAY must be one weekday: MO, TU, WE, TH, FR, SA or SU")
    return WEEKDAYS.index(text)
