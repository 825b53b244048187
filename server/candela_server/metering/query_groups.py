"""What a metric measured by group, in windows that follow each other (EVT-5, EVT-8).

The same rollups and the same events as of the whole, kept apart by dimension; so the groups of a window together have
every event that the whole has, and sums and counts of them add up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from candela_server.catalog.model import Aggregation, Metric
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.storage.events import Connection, EventStore

from . import group_store, group_usage_store
from .group_usage_store import Grouped, GroupScope, GroupSpan
from .model import UsageBucket, UsageOf
from .rules.aggregation import EMPTY, measured, merge
from .rules.bucket import bucket_start, split
from .rules.folding import WHOLE_CUSTOMER
from .rules.group import OVERFLOW, Group
from .rules.metric_reading import event_sql

MAX_GROUPED_BUCKETS: Final = 10_000
"""Numbers in one grouped answer, about 1 MB."""

_BEFORE: Final = -1
"""In place of a window's number: the part of the first quarter-hour that lies before the first window."""


class TooManyGroupedBucketsError(ValueError):
    """An answer would have more than MAX_GROUPED_BUCKETS numbers."""


async def query_groups(
    store: EventStore,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    windows: Sequence[Interval],
    groups: Sequence[Group] | None,
) -> list[UsageBucket]:
    """The usage of each window by group, those of `groups` alone if given; groups without events are left out.

    Groups are in order of their values, the overflow last. Raises TooManyGroupedBucketsError.
    """
    async with store.reader() as connection:
        known = await group_store.list_groups(connection, merchant_id, who.customer_id, metric.id)
        if groups is not None:
            known = {one: group for one, group in known.items() if group in groups}
        dimensions = sorted(known, key=lambda one: known[one])
        if groups is None:
            dimensions.append(OVERFLOW)
        scope = GroupScope(
            merchant_id, who.customer_id, metric.id, who.user_id or WHOLE_CUSTOMER, dimensions
        )
        if metric.aggregation is Aggregation.UNIQUE:
            tallies = await _distinct(connection, scope, metric, windows)
        else:
            tallies = await _added_up(connection, scope, metric, windows)
        carried: dict[str, Decimal] = {}
        if metric.aggregation is Aggregation.WEIGHTED_SUM:
            carried = await _carried(connection, scope, metric, windows[0])
    return list(_buckets(metric, windows, dimensions, known, tallies, carried))


async def _added_up(
    connection: Connection, scope: GroupScope, metric: Metric, windows: Sequence[Interval]
) -> Grouped:
    last = metric.aggregation is Aggregation.LAST
    whole, cut = _whole(windows), _cut(windows)
    tallies: Grouped = {}
    if whole:
        tallies = await group_usage_store.read_group_rollups(
            connection, scope, whole, last=last, limit=MAX_GROUPED_BUCKETS + 1
        )
        _check_size(len(tallies))
    if cut:
        found = await group_usage_store.read_group_events(
            connection, scope, cut, event_sql(metric), last=last
        )
        for key, tally in found.items():
            tallies[key] = merge(tallies.get(key, EMPTY), tally)
    return tallies


async def _distinct(
    connection: Connection, scope: GroupScope, metric: Metric, windows: Sequence[Interval]
) -> Grouped:
    counts = await group_usage_store.count_group_values(
        connection,
        scope,
        _whole(windows),
        _cut(windows),
        event_sql(metric),
        limit=MAX_GROUPED_BUCKETS + 1,
    )
    _check_size(len(counts))
    return {key: replace(EMPTY, count=count, distinct_count=count) for key, count in counts.items()}


async def _carried(
    connection: Connection, scope: GroupScope, metric: Metric, first: Interval
) -> dict[str, Decimal]:
    """What each group had before the first window."""
    border_at = bucket_start(first.start_at)
    carried = await group_usage_store.carried_by_group(connection, scope, border_at)
    if border_at < first.start_at:
        before = GroupSpan(_BEFORE, border_at, first.start_at, first.start_at)
        found = await group_usage_store.read_group_events(
            connection, scope, [before], event_sql(metric), last=False
        )
        with exact():
            for (_, dimension), tally in found.items():
                carried[dimension] = carried.get(dimension, Decimal(0)) + tally.sum
    return carried


def _buckets(
    metric: Metric,
    windows: Sequence[Interval],
    dimensions: Sequence[str],
    known: dict[str, Group],
    tallies: Grouped,
    carried: dict[str, Decimal],
) -> Iterable[UsageBucket]:
    weighs_time = metric.aggregation is Aggregation.WEIGHTED_SUM
    made = 0
    for number, window in enumerate(windows):
        for dimension in dimensions:
            found = tallies.get((number, dimension))
            before = carried.get(dimension)
            if found is None and not before:
                continue
            tally = replace(found or EMPTY, carried=before or Decimal(0))
            if weighs_time and found is not None:
                with exact():
                    carried[dimension] = tally.carried + tally.sum
            value = measured(metric, tally, window)
            made += 1
            _check_size(made)
            yield UsageBucket(
                window=window,
                value=value,
                group=known.get(dimension),
                overflow=dimension == OVERFLOW,
            )


def _whole(windows: Sequence[Interval]) -> list[GroupSpan]:
    splits = [split(window).whole for window in windows]
    return [
        GroupSpan(number, whole.start_at, whole.end_at, window.end_at)
        for number, (window, whole) in enumerate(zip(windows, splits, strict=True))
        if whole is not None
    ]


def _cut(windows: Sequence[Interval]) -> list[GroupSpan]:
    return [
        GroupSpan(number, edge.start_at, edge.end_at, window.end_at)
        for number, window in enumerate(windows)
        for edge in split(window).edges
    ]


def _check_size(count: int) -> None:
    if count > MAX_GROUPED_BUCKETS:
        raise TooManyGroupedBucketsError(
            f"the answer has more than {MAX_GROUPED_BUCKETS} numbers, one per bucket and group"
        )
