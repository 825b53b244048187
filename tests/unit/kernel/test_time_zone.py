"""Civil days on the line of UTC instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from candela_server.kernel.interval import Interval
from candela_server.kernel.time_zone import civil_days, days_later, local_date, start_of_day


@pytest.mark.spec("DSL-5", "SEAT-1")
@pytest.mark.parametrize(
    ("first", "last", "elapsed", "days"),
    [
        (date(2026, 3, 1), date(2026, 4, 1), timedelta(days=30, hours=23), 31),
        (date(2026, 11, 1), date(2026, 12, 1), timedelta(days=30, hours=1), 30),
        (date(2024, 1, 1), date(2025, 1, 1), timedelta(days=366), 366),
    ],
)
def test_month_in_new_york__is_counted_in_days_not_hours(
    first: date, last: date, elapsed: timedelta, days: int
) -> None:
    span = Interval(start_of_day(first, "America/New_York"), start_of_day(last, "America/New_York"))

    assert span.duration == elapsed
    assert civil_days(span, "America/New_York") == days


@pytest.mark.spec("DSL-5")
def test_one_instant__is_two_dates_in_two_zones() -> None:
    instant = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)

    assert local_date(instant, "America/New_York") == date(2026, 1, 31)
    assert local_date(instant, "Asia/Kolkata") == date(2026, 2, 1)


@pytest.mark.spec("DSL-5")
def test_day_without_a_midnight__begins_when_its_clocks_do() -> None:
    # Beirut's clocks went from 00:00 to 01:00 on 27 March 2022.
    assert start_of_day(date(2022, 3, 27), "Asia/Beirut") == datetime(2022, 3, 26, 22, tzinfo=UTC)


@pytest.mark.spec("INV-7", "DSL-5")
@pytest.mark.parametrize(
    ("instant", "days", "zone", "want"),
    [
        pytest.param("2026-01-31T15:00", 0, "America/New_York", "2026-01-31T15:00", id="at once"),
        pytest.param(
            "2026-03-01T15:00", 14, "America/New_York", "2026-03-15T14:00", id="clocks go forward"
        ),
        pytest.param(
            "2026-10-20T22:30", 14, "Europe/Berlin", "2026-11-03T23:30", id="clocks go back"
        ),
        pytest.param(
            "2026-03-07T07:30",
            1,
            "America/New_York",
            "2026-03-08T07:30",
            id="a time that is skipped",
        ),
        pytest.param("2028-02-01T00:00", 30, "UTC", "2028-03-02T00:00", id="a leap year"),
    ],
)
def test_days_later__keeps_the_wall_clocks_time(
    instant: str, days: int, zone: str, want: str
) -> None:
    got = days_later(datetime.fromisoformat(instant).replace(tzinfo=UTC), days, zone)

    assert got == datetime.fromisoformat(want).replace(tzinfo=UTC)
