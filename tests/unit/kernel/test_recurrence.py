"""Recurrence against worked examples, and against a slow and obvious reference."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.recurrence import Recurrence
from candela_server.kernel.recurrence_text import LAST_DAY, Frequency

ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # its clocks change by half an hour
    "Pacific/Apia",
]
FIRST_DAY = date(2023, 1, 1)
LAST_START_DAY = date(2032, 12, 31)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def days_of(rule: str, first_day: str, count: int, zone: str = "UTC") -> list[str]:
    """The local dates of the first occurrences of a rule anchored at noon of `first_day`."""
    recurrence = Recurrence.parse(rule, zone)
    anchor_at = local(f"{first_day}T12:00", zone)
    return [
        recurrence.occurrence(anchor_at, n).astimezone(ZoneInfo(zone)).date().isoformat()
        for n in range(count)
    ]


# --- the reference: dateutil walks the naive local dates, every clock change is looked up by hand


def reference(rule: Recurrence, anchor_at: datetime) -> Iterator[datetime]:
    """The anchor, then the later dates that dateutil finds for the rule, told to clamp."""
    zone = ZoneInfo(rule.time_zone)
    anchor = anchor_at.astimezone(zone).replace(tzinfo=None, fold=0)
    yield anchor_at
    for naive in rrule.rrule(dtstart=anchor, interval=rule.interval, **clamping(rule, anchor)):
        if naive > anchor:
            yield reference_instant(naive, zone)


def clamping(rule: Recurrence, anchor: datetime) -> dict[str, Any]:
    """RFC 5545's own way to say "day 31, or the month's last": the last that exists of 28 to 31."""
    day = anchor.day if rule.month_day is None else rule.month_day
    choice: dict[str, Any] = (
        {"bymonthday": -1}
        if day == LAST_DAY
        else {"bymonthday": list(range(28, day + 1)), "bysetpos": -1}
        if day > 28
        else {"bymonthday": day}
    )
    match rule.frequency:
        case Frequency.DAILY:
            return {"freq": rrule.DAILY}
        case Frequency.WEEKLY:
            return {"freq": rrule.WEEKLY, "byweekday": rule.weekday}
        case Frequency.MONTHLY:
            return {"freq": rrule.MONTHLY, **choice}
        case Frequency.YEARLY:
            return {"freq": rrule.YEARLY, "bymonth": rule.month or anchor.month, **choice}


def reference_instant(naive: datetime, zone: ZoneInfo) -> datetime:
    """The first instant whose wall clock shows `naive`; in a gap, the time counted on into it."""
    before, after = (
        (naive.replace(tzinfo=UTC) + timedelta(days=days)).astimezone(zone).utcoffset()
        for days in (-1, 1)
    )
    assert before is not None
    assert after is not None
    candidates = sorted(naive.replace(tzinfo=UTC) - offset for offset in (before, after))
    shown = [at for at in candidates if at.astimezone(zone).replace(tzinfo=None, fold=0) == naive]
    return shown[0] if shown else naive.replace(tzinfo=UTC) - before


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    frequency = draw(st.sampled_from(Frequency))
    month = draw(st.none() | st.integers(1, 12)) if frequency is Frequency.YEARLY else None
    month_day = None
    if frequency is Frequency.MONTHLY:
        month_day = draw(st.none() | st.integers(1, 31) | st.just(LAST_DAY))
    elif month is not None:
        month_day = draw(st.none() | st.integers(1, monthrange(2024, month)[1]) | st.just(LAST_DAY))
    weekly = frequency is Frequency.WEEKLY
    return Recurrence(
        frequency=frequency,
        interval=draw(st.integers(1, 5)),
        month=month,
        month_day=month_day,
        weekday=draw(st.none() | st.integers(0, 6)) if weekly else None,
        time_zone=draw(st.sampled_from(ZONES)),
    )


@st.composite
def anchors(draw: st.DrawFn) -> datetime:
    """Instants of 2023 to 2032, often in the small hours, when clocks change."""
    days = draw(st.integers(0, (LAST_START_DAY - FIRST_DAY).days))
    minutes = draw(st.integers(0, 24 * 60 - 1) | st.sampled_from([90, 105, 120, 150, 420, 450]))
    start = datetime(2023, 1, 1, tzinfo=UTC)
    return start + timedelta(days=days, minutes=minutes)


@pytest.mark.spec("DSL-5")
@given(rules(), anchors())
def test_any_rule__recurs_as_the_reference_says(rule: Recurrence, anchor_at: datetime) -> None:
    got = [rule.occurrence(anchor_at, n) for n in range(15)]

    assert got == list(islice(reference(rule, anchor_at), 15))


@pytest.mark.spec("DSL-5")
@given(rules(), anchors(), st.integers(0, 400))
def test_any_instant__lies_in_the_one_period_whose_number_is_told(
    rule: Recurrence, anchor_at: datetime, n: int
) -> None:
    period = rule.period(anchor_at, n)
    moment = timedelta(microseconds=1)

    assert rule.period_number_at(anchor_at, period.start_at) == n
    assert rule.period_number_at(anchor_at, period.end_at - moment) == n
    assert rule.period_number_at(anchor_at, period.end_at) == n + 1
    assert rule.period_containing(anchor_at, period.start_at + period.duration / 2) == period


@pytest.mark.spec("DSL-5")
@given(rules(), anchors(), st.integers(0, 60))
def test_consecutive_periods__touch_without_gap_or_overlap(
    rule: Recurrence, anchor_at: datetime, n: int
) -> None:
    assert rule.period(anchor_at, n).end_at == rule.period(anchor_at, n + 1).start_at
    assert rule.period(anchor_at, 0).start_at == anchor_at


@pytest.mark.spec("DSL-5")
@given(rules())
def test_canonical_text__parses_to_the_same_rule(rule: Recurrence) -> None:
    assert Recurrence.parse(str(rule), rule.time_zone) == rule


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize("zone", ZONES)
def test_every_start_day_of_ten_years__has_twelve_monthly_periods_a_year_on_its_own_day(
    zone: str,
) -> None:
    monthly = Recurrence.parse("FREQ=MONTHLY", zone)
    yearly = Recurrence.parse("FREQ=YEARLY", zone)
    for offset in range((LAST_START_DAY - FIRST_DAY).days + 1):
        first_day = FIRST_DAY + timedelta(days=offset)
        anchor_at = local(f"{first_day}T00:00", zone)
        year, month = first_day.year, first_day.month
        for n in range(1, 13):
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            want = date(year, month, min(first_day.day, monthrange(year, month)[1]))
            got = monthly.occurrence(anchor_at, n).astimezone(ZoneInfo(zone))
            assert got.date() == want, f"month {n} after {first_day}"
            assert got.time() == datetime.min.time(), f"month {n} after {first_day}"
        assert monthly.occurrence(anchor_at, 12) == yearly.occurrence(anchor_at, 1)


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize(
    ("rule", "first_day", "want"),
    [
        pytest.param(
            "FREQ=MONTHLY",
            "2027-01-31",
            ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"],
            id="monthly from the 31st clamps and returns",
        ),
        pytest.param(
            "FREQ=MONTHLY",
            "2027-01-30",
            ["2027-01-30", "2027-02-28", "2027-03-30"],
            id="monthly from the 30th clamps in February only",
        ),
        pytest.param(
            "FREQ=YEARLY",
            "2024-02-29",
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
            id="yearly from 29 February is the 28th in common years",
        ),
        pytest.param(
            "FREQ=YEARLY;INTERVAL=2",
            "2024-02-29",
            ["2024-02-29", "2026-02-28", "2028-02-29"],
            id="every second year from 29 February",
        ),
        pytest.param(
            "FREQ=MONTHLY;INTERVAL=3",
            "2026-11-30",
            ["2026-11-30", "2027-02-28", "2027-05-30", "2027-08-30"],
            id="quarterly from 30 November",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=1",
            "2026-01-15",
            ["2026-01-15", "2026-02-01", "2026-03-01"],
            id="the 1st, begun on the 15th: a short first period",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=20",
            "2026-01-15",
            ["2026-01-15", "2026-01-20", "2026-02-20"],
            id="the 20th, begun on the 15th: the same month's 20th comes first",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=15",
            "2026-01-15",
            ["2026-01-15", "2026-02-15"],
            id="the 15th, begun on the 15th: no empty first period",
        ),
        pytest.param(
            "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1",
            "2026-01-15",
            ["2026-01-15", "2026-04-01", "2026-07-01"],
            id="every third month on the 1st counts from the anchor's month",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "2027-01-31",
            ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"],
            id="the last day of every month",
        ),
        pytest.param(
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "2026-03-01",
            ["2026-03-01", "2027-02-28", "2028-02-29", "2029-02-28"],
            id="29 February by rule",
        ),
        pytest.param(
            "FREQ=YEARLY;BYMONTH=4",
            "2026-01-31",
            ["2026-01-31", "2026-04-30", "2027-04-30"],
            id="April, on the anchor's day or the month's last",
        ),
        pytest.param(
            "FREQ=WEEKLY;BYDAY=MO",
            "2026-01-15",  # a Thursday
            ["2026-01-15", "2026-01-19", "2026-01-26"],
            id="Mondays, begun on a Thursday",
        ),
        pytest.param(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR",
            "2026-01-15",
            ["2026-01-15", "2026-01-16", "2026-01-30"],
            id="every second Friday counts from the anchor's own week",
        ),
        pytest.param(
            "FREQ=DAILY;INTERVAL=30",
            "2026-01-15",
            ["2026-01-15", "2026-02-14", "2026-03-16"],
            id="every 30 days",
        ),
    ],
)
def test_worked_example__recurs_on_these_days(rule: str, first_day: str, want: list[str]) -> None:
    assert days_of(rule, first_day, len(want)) == want


@pytest.mark.spec("DSL-5")
def test_spring_gap_in_new_york__moves_forward_by_the_gap_and_returns() -> None:
    daily = Recurrence.parse("FREQ=DAILY", "America/New_York")
    anchor_at = local("2026-03-07T02:30", "America/New_York")

    got = [daily.occurrence(anchor_at, n) for n in (1, 2)]

    # 8 March has no 02:30: it is 03:30 EDT. On the 9th 02:30 EDT is back.
    assert got == [utc("2026-03-08T07:30Z"), utc("2026-03-09T06:30Z")]


@pytest.mark.spec("DSL-5")
def test_repeated_autumn_hour_in_new_york__takes_the_first() -> None:
    daily = Recurrence.parse("FREQ=DAILY", "America/New_York")
    anchor_at = local("2026-10-31T01:30", "America/New_York")

    assert daily.occurrence(anchor_at, 1) == utc("2026-11-01T05:30Z")


@pytest.mark.spec("DSL-5")
def test_anchor_in_the_second_of_two_autumn_hours__is_occurrence_zero_itself() -> None:
    daily = Recurrence.parse("FREQ=DAILY", "America/New_York")
    anchor_at = utc("2026-11-01T06:30Z")  # the second 01:30

    assert daily.occurrence(anchor_at, 0) == anchor_at
    assert daily.occurrence(anchor_at, 1) == utc("2026-11-02T06:30Z")  # 01:30 EST
    assert daily.period_number_at(anchor_at, anchor_at) == 0


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize(
    ("anchor", "elapsed"),
    [
        pytest.param("2026-03-01", timedelta(days=30, hours=23), id="March loses an hour"),
        pytest.param("2026-11-01", timedelta(days=30, hours=1), id="November gains one"),
    ],
)
def test_month_with_a_clock_change__begins_and_ends_at_local_midnight(
    anchor: str, elapsed: timedelta
) -> None:
    monthly = Recurrence.parse("FREQ=MONTHLY", "America/New_York")

    period = monthly.period(local(f"{anchor}T00:00", "America/New_York"), 0)

    assert period.duration == elapsed


@pytest.mark.spec("DSL-5")
def test_local_day_ahead_of_utc__clamps_by_the_local_calendar() -> None:
    monthly = Recurrence.parse("FREQ=MONTHLY", "Pacific/Apia")
    anchor_at = utc("2027-01-30T11:00Z")  # midnight of 31 January in Apia

    assert monthly.occurrence(anchor_at, 1) == utc("2027-02-27T11:00Z")  # 28 February there


@pytest.mark.spec("DSL-5")
def test_year_2900__is_numbered_without_walking_there() -> None:
    daily = Recurrence.parse("FREQ=DAILY", "Europe/Berlin")
    anchor_at, instant = utc("2023-01-01T00:00Z"), utc("2900-01-01T00:00Z")

    assert daily.period_number_at(anchor_at, instant) == (instant - anchor_at).days


@pytest.mark.spec("DSL-5")
def test_before_the_anchor__there_is_no_period() -> None:
    monthly = Recurrence.parse("FREQ=MONTHLY", "UTC")
    anchor_at = utc("2026-01-01T00:00Z")

    with pytest.raises(ValueError, match="before the anchor"):
        monthly.period_number_at(anchor_at, anchor_at - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="before the anchor"):
        monthly.occurrence(anchor_at, -1)


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize("frequency", Frequency)
def test_number_beyond_the_calendar__is_a_value_error(frequency: Frequency) -> None:
    recurrence = Recurrence(frequency=frequency, time_zone="Pacific/Apia")

    with pytest.raises(ValueError, match="beyond the year 9998"):
        recurrence.occurrence(utc("2026-01-01T00:00Z"), 10_000_000)
