"""How a metric reads a number off what its events add up to (EVT-5). The one place where aggregations differ."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate
from typing import Final

from candela_server.catalog.model import Aggregation, Metric
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.metering.model import Tally

from .time_weight import length_us, total_held

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before every event."""

_PLACES: Final = 12
_ONE: Final = Decimal(1)

EMPTY: Final = Tally(
    count=0,
    sum=Decimal(0),
    min=None,
    max=None,
    last_at=None,
    last_key=b"",
    last_value=None,
    distinct_count=0,
)
"""What no events add up to."""


def measured(metric: Metric, tally: Tally, window: Interval) -> Decimal:
    """The usage that `metric` measures in the window that the tally is of; 0 when nothing happened.

    An average and a weighted sum are rounded half-up to 12 places; everything else is exact.
    """
    match metric.aggregation:
        case Aggregation.COUNT:
            return Decimal(tally.count)
        case Aggregation.SUM:
            return plain(tally.sum)
        case Aggregation.MIN:
            return plain(tally.min or Decimal(0))
        case Aggregation.MAX:
            return plain(tally.max or Decimal(0))
        case Aggregation.LAST:
            return plain(tally.last_value or Decimal(0))
        case Aggregation.AVERAGE:
            return average(tally.sum, tally.count)
        case Aggregation.UNIQUE:
            return Decimal(tally.distinct_count)
        case Aggregation.WEIGHTED_SUM:
            return average(total_held(tally.carried, tally.held, window), length_us(window))
        case Aggregation.SQL:
            raise AssertionError("a query is measured in its sandbox, not from tallies")


def merge(left: Tally, right: Tally) -> Tally:
    """What two disjoint sets of events add up to together. Distinct values cannot be merged and are left at 0."""
    with exact():
        total = left.sum + right.sum
        held = left.held + right.held
        carried = left.carried + right.carried
    last = right if _is_later(right, left) else left
    return Tally(
        count=left.count + right.count,
        sum=total,
        min=min((one.min for one in (left, right) if one.min is not None), default=None),
        max=max((one.max for one in (left, right) if one.max is not None), default=None),
        last_at=last.last_at,
        last_key=last.last_key,
        last_value=last.last_value,
        distinct_count=0,
        held=held,
        carried=carried,
    )


def adds_up(metric: Metric) -> bool:
    """Whether usage is the sum of what single flushes add, so that a live counter can be bumped."""
    return metric.aggregation in (Aggregation.COUNT, Aggregation.SUM)


def parts_add_up(metric: Metric) -> bool:
    """Whether the usage of a window is the sum of the usages of its parts."""
    return adds_up(metric) and not metric.gauge


def carries_in(metric: Metric) -> bool:
    """Whether what happened before a window changes its usage."""
    return metric.gauge or weighs_time(metric)


def weighs_time(metric: Metric) -> bool:
    """Whether each value counts for how long it was held."""
    return metric.aggregation is Aggregation.WEIGHTED_SUM


def reach(metric: Metric, window: Interval) -> Interval:
    """From when to when events add up to the usage of a window: a gauge's, from the beginning of time."""
    return Interval(BEGINNING, window.end_at) if metric.gauge else window


def stand(tallies: Iterable[Tally]) -> list[Tally]:
    """Windows in a row of a gauge, of which only the first reaches back: each stands on those before it."""
    return list(accumulate(tallies, merge))


def average(total: Decimal, count: int) -> Decimal:
    """The mean of `count` values, rounded half-up to 12 places; 0 of none."""
    if count == 0:
        return Decimal(0)
    with exact():
        scaled, rest = divmod(abs(total).scaleb(_PLACES), count)
        if rest * 2 >= count:
            scaled += 1
        return plain(scaled.scaleb(-_PLACES).copy_sign(total))


def plain(value: Decimal) -> Decimal:
    """The same number without an exponent above 0 and without trailing zeros behind the point."""
    with exact():
        value = value.normalize()
        _, _, exponent = value.as_tuple()
        assert isinstance(exponent, int), "usage is always finite"
        return value.quantize(_ONE, ROUND_HALF_UP) if exponent > 0 else value + 0


def _is_later(one: Tally, other: Tally) -> bool:
    if one.last_at is None or other.last_at is None:
        return other.last_at is None
    return (one.last_at, one.last_key) > (other.last_at, other.last_key)
