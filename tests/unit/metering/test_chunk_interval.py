"""Chunks of events are as long as their indexes fit in memory, within bounds, and do not move to and fro (EVT-8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.chunk_interval import (
    LOOK_BACK,
    MEMORY_SHARE,
    STEPS,
    Chunk,
    fitting_interval,
)

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MEMORY = 4 << 30
BUDGET = MEMORY // MEMORY_SHARE


def chunk(begun: timedelta, length: timedelta, bytes_per_day: float) -> Chunk:
    """One that began so long ago, filled at this rate until its end or now."""
    start_at = NOW - begun
    end_at = start_at + length
    filled = min(end_at, NOW) - start_at
    return Chunk(start_at=start_at, end_at=end_at, index_bytes=int(bytes_per_day * (filled / DAY)))


@pytest.mark.spec("EVT-8")
@pytest.mark.parametrize(
    ("present", "chunks", "want"),
    [
        pytest.param(7 * DAY, [], 7 * DAY, id="nothing is known yet"),
        pytest.param(7 * DAY, [chunk(8 * DAY, 7 * DAY, 0)], 7 * DAY, id="no events"),
        pytest.param(7 * DAY, [chunk(HOUR / 2, 7 * DAY, BUDGET)], 7 * DAY, id="too young"),
        # A quarter of 4 GB lasts 1.3 days: a day is the longest that fits.
        pytest.param(7 * DAY, [chunk(3 * DAY, 7 * DAY, BUDGET / 1.3)], DAY, id="too long by far"),
        pytest.param(7 * DAY, [chunk(2 * HOUR, 7 * DAY, BUDGET * 90)], 6 * HOUR, id="very fast"),
        # The present fits for 9 days: not enough more for 14, and just as well.
        pytest.param(7 * DAY, [chunk(8 * DAY, 7 * DAY, BUDGET / 9)], 7 * DAY, id="it fits"),
        pytest.param(DAY, [chunk(2 * DAY, DAY, BUDGET / 500)], 2 * DAY, id="a step at a time"),
        pytest.param(DAY, [chunk(HOUR, DAY, BUDGET / 500)], DAY, id="longer only after a whole"),
        pytest.param(DAY, [chunk(2 * DAY, DAY, BUDGET / 2.5)], DAY, id="longer only with room"),
        pytest.param(28 * DAY, [chunk(29 * DAY, 28 * DAY, 1)], 28 * DAY, id="never longer"),
        # The fastest counts, and what was long ago does not.
        pytest.param(
            4 * DAY,
            [chunk(9 * DAY, 4 * DAY, BUDGET / 3), chunk(5 * DAY, 4 * DAY, BUDGET / 100)],
            2 * DAY,
            id="one busy week",
        ),
        pytest.param(
            4 * DAY, [chunk(LOOK_BACK + 5 * DAY, 4 * DAY, BUDGET * 9)], 4 * DAY, id="long ago"
        ),
    ],
)
def test_rate_of_recent_chunks__says_how_long_the_next_are(
    present: timedelta, chunks: list[Chunk], want: timedelta
) -> None:
    assert fitting_interval(present, chunks, MEMORY, NOW) == want


@pytest.mark.spec("EVT-8")
@given(st.floats(1, 1e12), st.sampled_from(STEPS))
def test_steady_rate__settles_at_a_length_that_fits_and_stays(
    bytes_per_day: float, present: timedelta
) -> None:
    lengths = [present]
    for _ in range(20):
        filled = chunk(2 * lengths[-1], lengths[-1], bytes_per_day)
        recent = Chunk(
            start_at=filled.start_at, end_at=filled.end_at, index_bytes=filled.index_bytes
        )
        if recent.end_at <= NOW - LOOK_BACK:
            recent = chunk(lengths[-1], lengths[-1], bytes_per_day)
        lengths.append(fitting_interval(lengths[-1], [recent], MEMORY, NOW))

    settled = lengths[-1]
    assert lengths[-2] == settled, "it does not move any more"
    assert settled in STEPS
    fits = bytes_per_day * (settled / DAY) <= BUDGET * 1.001
    assert fits or settled == STEPS[0]
