"""Quarter-hours and calendar buckets (EVT-8)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.interval import Interval
from candela_server.metering.model import BucketSize
from candela_server.metering.rules.bucket import (
    BUCKET,
    MAX_BUCKETS,
    TooManyBucketsError,
    calendar_month,
    cut,
    from_microseconds,
    split,
    to_microseconds,
)

_BASE = datetime(2026, 3, 1, tzinfo=UTC)
_instants = st.integers(0, 3 * 24 * 3600 * 1_000_000).map(
    lambda us: _BASE + timedelta(microseconds=us)
)
_windows = st.lists(_instants, min_size=2, max_size=2, unique=True).map(
    lambda ends: Interval(min(ends), max(ends))
)


@pytest.mark.spec("EVT-7")
@given(_windows)
def test_the_parts_of_a_window__are_the_window(window: Interval) -> None:
    got = split(window)

    parts = sorted(
        [*got.edges, *([got.whole] if got.whole else [])], key=lambda part: part.start_at
    )
    assert parts[0].start_at == window.start_at
    assert parts[-1].end_at == window.end_at
    assert all(left.end_at == right.start_at for left, right in itertools.pairwise(parts))
    assert all(edge.duration < BUCKET for edge in got.edges)
    if got.whole:
        assert to_microseconds(got.whole.start_at) % (BUCKET // timedelta(microseconds=1)) == 0
        assert to_microseconds(got.whole.end_at) % (BUCKET // timedelta(microseconds=1)) == 0


@given(_instants)
def test_microseconds__lose_nothing(instant: datetime) -> None:
    assert from_microseconds(to_microseconds(instant)) == instant


@pytest.mark.spec("EVT-8")
@given(_windows, st.sampled_from(list(BucketSize)), st.sampled_from(["UTC", "Asia/Kathmandu"]))
def test_buckets__touch_and_cover_the_window(window: Interval, size: BucketSize, zone: str) -> None:
    got = cut(window, size, ZoneInfo(zone))

    assert got[0].start_at == window.start_at
    assert got[-1].end_at == window.end_at
    assert all(left.end_at == right.start_at for left, right in itertools.pairwise(got))


@pytest.mark.spec("EVT-8")
@pytest.mark.parametrize(
    ("day", "hours"),
    [(8, 23), (9, 24)],
    ids=["the day the clock is put forward has 23 hours", "the day after has 24"],
)
def test_days_across_daylight_saving__have_their_true_length(day: int, hours: int) -> None:
    zone = ZoneInfo("America/New_York")
    window = Interval(datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 3, 11, 4, tzinfo=UTC))

    got = {one.start_at.astimezone(zone).day: one for one in cut(window, BucketSize.DAY, zone)}

    assert got[day].duration == timedelta(hours=hours)


@pytest.mark.spec("EVT-8")
def test_the_repeated_hour_of_autumn__is_two_buckets() -> None:
    zone = ZoneInfo("America/New_York")
    window = Interval(datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, 8, tzinfo=UTC))

    got = cut(window, BucketSize.HOUR, zone)

    assert [one.start_at.astimezone(zone).hour for one in got] == [1, 1, 2]


@pytest.mark.spec("EVT-8")
def test_too_many_buckets__are_refused() -> None:
    window = Interval(_BASE, _BASE + timedelta(hours=MAX_BUCKETS + 1))

    with pytest.raises(TooManyBucketsError):
        cut(window, BucketSize.HOUR, ZoneInfo("UTC"))


def test_a_calendar_month__is_that_of_the_zone() -> None:
    got = calendar_month(datetime(2026, 2, 1, 4, tzinfo=UTC), ZoneInfo("America/New_York"))

    want = Interval(datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC))
    assert got == want
