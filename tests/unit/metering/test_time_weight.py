"""Weighted sums: what was held on average (EVT-5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import Aggregation, Metric, MetricId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.metering.rules.aggregation import EMPTY, measured, merge

_STORAGE = Metric(
    id=MetricId("met_storage"),
    slug="storage",
    name="Storage",
    aggregation=Aggregation.WEIGHTED_SUM,
    event_names=("disk-resized",),
    property=None,
    unit_name="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
_START = datetime(2026, 4, 1, tzinfo=UTC)
_APRIL = Interval(_START, datetime(2026, 5, 1, tzinfo=UTC))  # 30 days
_DAY_US = 86_400_000_000


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("carried", "held", "want"),
    [
        # 10 GB held for all of the month.
        ("10", "0", "10"),
        # 10 GB from 16 April on: half of the month.
        ("0", str(10 * 15 * _DAY_US), "5"),
        # 10 GB from before, 4 of them removed for the last 3 days: 10 - 4 × 3/30.
        ("10", str(-4 * 3 * _DAY_US), "9.6"),
        # 1 GB for 10 days: a third.
        ("0", str(10 * _DAY_US), "0.333333333333"),
        ("0", str(-20 * _DAY_US), "-0.666666666667"),
        ("0", "0", "0"),
    ],
)
def test_held_for_a_share_of_the_window__counts_for_that_share(
    carried: str, held: str, want: str
) -> None:
    tally = replace(EMPTY, carried=Decimal(carried), held=Decimal(held))

    assert measured(_STORAGE, tally, _APRIL) == Decimal(want)


_amounts = st.decimals(Decimal("-1e20"), Decimal("1e20"), places=12, allow_nan=False)


@pytest.mark.spec("EVT-5")
@given(_amounts, _amounts, st.integers(1, 10**9))
def test_parts_put_together__hold_what_both_hold(one: Decimal, other: Decimal, days: int) -> None:
    """Linear up to the one rounding: nothing is lost by looking at users, or sources, apart."""
    window = Interval(_START, _START + timedelta(microseconds=days))
    parts = [replace(EMPTY, held=value, carried=value, sum=value) for value in (one, other)]

    got = measured(_STORAGE, merge(*parts), window)

    with exact():
        apart = sum((measured(_STORAGE, part, window) for part in parts), Decimal(0))
        assert abs(got - apart) <= Decimal("0.000000000002")
