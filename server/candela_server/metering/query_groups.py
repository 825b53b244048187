"""What a metric measured by group, in windows that follow each other (EVT-5, EVT-8).

The same rollups and the same events as of the whole, kept apart by dimension; so the groups of a window together have
every event that the whole has, and sums and counts of them add up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from candela_server.catalog.model import Aggregation, Metric
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.storage.events import Connection, EventStore

from . import fill_progress_store, group_store, group_usage_store
from .group_usage_store import Grouped, GroupScope, GroupSpan
from .model import UsageBucket, UsageOf
from .rules.aggregation import EMPTY, measured, merge, weighs_time
from .rules.bucket import Split
from .rules.filled import split_filled
from .rules.folding import WHOLE_CUSTOMER
from .rules.group import MAX_GROUPS, OVERFLOW, Group, dimension
from .rules.metric_reading import event_sql
from .weigh_usage import split_before

MAX_GROUPED_BUCKETS: Final = 10_000
"""Numbers in one grouped answer, about 1 MB."""


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
        filled = await fill_progress_store.read_filled(connection, merchant_id, [metric.id])
        known = await group_store.list_groups(connection, merchant_id, who.customer_id, metric.id)
        places = len(known)
        if groups is not None:
            known = {dimension(group): group for group in groups}
        scope = GroupScope(
            merchant_id,
            who.customer_id,
            metric.id,
            who.user_id or WHOLE_CUSTOMER,
            dimensions=list(known) if groups is not None else [*known, OVERFLOW],
            everything=groups is None,
            free_places=places < MAX_GROUPS,
        )
        parts = _Parts.of(
            [split_filled(metric, window, filled) for window in windows],
            [window.end_at for window in windows],
        )
        tallies = await _tally(connection, scope, metric, parts)
        if weighs_time(metric):
            earlier = _Parts.of([split_before(metric, windows[0], filled)], [windows[0].start_at])
            before = await _tally(connection, scope, metric, earlier)
            carried = {found: tally.sum for (_, found), tally in before.items()}
            parts = _Parts([], [*parts.edges, *earlier.edges])
        else:
            carried = {}
        unknown = ({found for _, found in tallies} | carried.keys()) - known.keys() - {OVERFLOW}
        if unknown:
            # Only while history is read into the metric: groups that have no place yet.
            known |= await group_usage_store.name_groups(
                connection, scope, parts.edges, event_sql(metric), sorted(unknown)
            )
    return list(_buckets(metric, windows, known, tallies, carried))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Windows as the whole quarter-hours that rollups hold, and what is read from events."""

    whole: list[GroupSpan]
    edges: list[GroupSpan]

    @classmethod
    def of(cls, splits: Sequence[Split], ends: Sequence[datetime]) -> _Parts:
        whole, edges = [], []
        for number, (one, end_at) in enumerate(zip(splits, ends, strict=True)):
            if one.whole is not None:
                whole.append(GroupSpan(number, one.whole.start_at, one.whole.end_at, end_at))
            for edge in one.edges:
                edges.append(GroupSpan(number, edge.start_at, edge.end_at, end_at))
        return cls(whole, edges)


async def _tally(
    connection: Connection, scope: GroupScope, metric: Metric, parts: _Parts
) -> Grouped:
    """What each window adds up to, or how many values it saw, by group."""
    limit = MAX_GROUPED_BUCKETS + 1
    if metric.aggregation is Aggregation.UNIQUE:
        counts = await group_usage_store.count_group_values(
            connection, scope, parts.whole, parts.edges, event_sql(metric), limit=limit
        )
        _check_size(len(counts))
        return {
            key: replace(EMPTY, count=count, distinct_count=count) for key, count in counts.items()
        }
    last = metric.aggregation is Aggregation.LAST
    tallies: Grouped = {}
    if parts.whole:
        tallies = await group_usage_store.read_group_rollups(
            connection, scope, parts.whole, last=last, limit=limit
        )
        _check_size(len(tallies))
    if parts.edges:
        found = await group_usage_store.read_group_events(
            connection, scope, parts.edges, event_sql(metric), last=last, limit=limit
        )
        _check_size(len(found))
        for key, tally in found.items():
            tallies[key] = merge(tallies.get(key, EMPTY), tally)
    return tallies


def _buckets(
    metric: Metric,
    windows: Sequence[Interval],
    known: dict[str, Group],
    tallies: Grouped,
    carried: dict[str, Decimal],
) -> Iterable[UsageBucket]:
    dimensions = [*sorted(known, key=known.__getitem__), OVERFLOW]
    made = 0
    for number, window in enumerate(windows):
        for one in dimensions:
            found = tallies.get((number, one))
            before = carried.get(one, Decimal(0))
            if found is None and not before:
                continue
            tally = replace(found or EMPTY, carried=before)
            if weighs_time(metric):
                with exact():
                    carried[one] = before + tally.sum
            made += 1
            _check_size(made)
            yield UsageBucket(
                window=window,
                value=measured(metric, tally, window),
                group=known.get(one),
                overflow=one == OVERFLOW,
            )


def _check_size(count: int) -> None:
    if count > MAX_GROUPED_BUCKETS:
        raise TooManyGroupedBucketsError(
            f"the answer has more than {MAX_GROUPED_BUCKETS} numbers, one per bucket and group"
        )
