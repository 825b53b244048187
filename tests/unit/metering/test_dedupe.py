"""Which months a key is claimed in (EVT-2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.dedupe import BORDER, claim_months

_JANUARY, _FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
_MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("off", "want"),
    [
        (-BORDER - timedelta(seconds=1), (_JANUARY,)),
        (timedelta(seconds=-1), (_JANUARY, _FEBRUARY)),
        (timedelta(0), (_JANUARY, _FEBRUARY)),
        (BORDER - timedelta(seconds=1), (_JANUARY, _FEBRUARY)),
        (BORDER, (_FEBRUARY,)),
    ],
)
def test_near_a_border__a_key_is_claimed_on_both_sides(
    off: timedelta, want: tuple[date, ...]
) -> None:
    assert claim_months(_MIDNIGHT + off).claimed == want


@pytest.mark.spec("EVT-2")
@given(st.integers(0, 2200 * 24 * 3600), st.integers(0, 7199))
def test_two_servers_within_two_borders__share_a_month(at_s: int, apart_s: int) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
    here = claim_months(at)
    there = claim_months(at + timedelta(seconds=apart_s))

    assert set(here.claimed) & set(there.claimed)


@pytest.mark.spec("EVT-2")
def test_keys__are_looked_for_in_the_whole_window() -> None:
    assert claim_months(datetime(2026, 5, 15, tzinfo=UTC)).oldest == date(2026, 2, 1)
