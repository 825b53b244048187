"""A clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from candela_server.kernel.clock import FixedClock, SystemClock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.spec("OPS-2")
def test_fixed_clock__stands_until_it_is_moved() -> None:
    clock = FixedClock(NOON)
    assert (clock.now(), clock.now()) == (NOON, NOON)

    clock.advance(NOON + timedelta(days=28))

    assert clock.now() == NOON + timedelta(days=28)


@pytest.mark.spec("OPS-2")
def test_fixed_clock__never_goes_back() -> None:
    clock = FixedClock(NOON)

    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(NOON - timedelta(microseconds=1))

    assert clock.now() == NOON


@pytest.mark.spec("OPS-2")
def test_naive_time__is_no_instant() -> None:
    with pytest.raises(ValueError, match="aware UTC"):
        FixedClock(NOON.replace(tzinfo=None))


@pytest.mark.spec("OPS-2")
def test_system_clock__tells_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
