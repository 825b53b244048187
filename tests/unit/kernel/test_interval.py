"""Half-open spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.interval import Interval

START = datetime(2026, 3, 1, tzinfo=UTC)
instants = st.integers(0, 50).map(lambda hours: START + timedelta(hours=hours))
spans = (
    st.tuples(instants, instants)
    .filter(lambda ends: ends[0] < ends[1])
    .map(lambda ends: Interval(*ends))
)


@pytest.mark.spec("SUB-3")
def test_span__holds_its_start_but_not_its_end() -> None:
    span = Interval(START, START + timedelta(hours=1))

    assert span.contains(span.start_at)
    assert span.contains(span.end_at - timedelta(microseconds=1))
    assert not span.contains(span.end_at)
    assert span.duration == timedelta(hours=1)


@pytest.mark.spec("SUB-3")
@given(spans, spans)
def test_overlap__is_an_instant_that_lies_in_both(a: Interval, b: Interval) -> None:
    # Spans here begin and end on full hours, so whatever lies in both holds one of them.
    hours = [START + timedelta(hours=hour) for hour in range(51)]

    assert a.overlaps(b) == any(a.contains(at) and b.contains(at) for at in hours)


@pytest.mark.spec("SUB-3")
@pytest.mark.parametrize(
    ("start_at", "end_at"),
    [
        pytest.param(START, START, id="empty"),
        pytest.param(START, START - timedelta(hours=1), id="backwards"),
        pytest.param(START.replace(tzinfo=None), START + timedelta(hours=1), id="naive start"),
        pytest.param(
            START,
            (START + timedelta(hours=9)).astimezone(timezone(timedelta(hours=2))),
            id="end in another offset",
        ),
    ],
)
def test_span_that_is_none__is_refused(start_at: datetime, end_at: datetime) -> None:
    with pytest.raises(ValueError, match="_at"):
        Interval(start_at, end_at)
