"""What a metric measured over all of a merchant's customers together: for charts, and for nobody's invoice (EVT-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from candela_server.catalog.model import Aggregation, Metric
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore

from . import everyone_store, fill_progress_store
from .measure_sql_everyone import aggregate_everyone_by_sql
from .model import Tally
from .rules.aggregation import EMPTY, measured, merge, reach, stand, weighs_time
from .rules.bucket import Split
from .rules.filled import split_filled
from .rules.metric_reading import event_sql
from .weigh_usage import before, carry_on, split_before


async def aggregate_everyone(
    store: EventStore, merchant_id: str, metric: Metric, windows: Sequence[Interval]
) -> list[Decimal]:
    """The usage in each of these ascending windows, all as of one instant."""
    if metric.sql is not None:
        return await aggregate_everyone_by_sql(store, merchant_id, metric, windows)
    async with store.reader() as connection:
        filled = await fill_progress_store.read_filled(connection, merchant_id, [metric.id])
        spans = [reach(metric, windows[0]), *windows[1:]]
        splits = [split_filled(metric, span, filled) for span in spans]
        if metric.aggregation is Aggregation.UNIQUE:
            counts = await everyone_store.count_distinct(
                connection,
                merchant_id,
                metric.id,
                [one.whole for one in splits],
                [one.edges for one in splits],
                event_sql(metric),
            )
            tallies = [replace(EMPTY, distinct_count=count) for count in counts]
        else:
            tallies = await _tally(connection, merchant_id, metric, windows, splits)
        if weighs_time(metric):
            carried = split_before(metric, windows[0], filled)
            [earlier] = await _tally(
                connection, merchant_id, metric, [before(windows[0])], [carried]
            )
            tallies[0] = replace(tallies[0], carried=earlier.sum)
            tallies = carry_on(tallies)
        if metric.gauge:
            tallies = stand(tallies)
    return [measured(metric, tally, window) for tally, window in zip(tallies, windows, strict=True)]


async def _tally(
    connection: Connection,
    merchant_id: str,
    metric: Metric,
    windows: Sequence[Interval],
    splits: Sequence[Split],
) -> list[Tally]:
    """What each window adds up to, from rollups for the whole part of its split and from events for the edges."""
    tallies = [EMPTY] * len(windows)
    whole = _wholes(splits)
    if whole:
        found = await everyone_store.read_rollups(
            connection,
            merchant_id,
            metric.id,
            [span for _, span in whole],
            [windows[number].end_at for number, _ in whole],
        )
        _merge(tallies, whole, found)
    cut = [(number, edge) for number, one in enumerate(splits) for edge in one.edges]
    if cut:
        found = await everyone_store.read_events(
            connection,
            merchant_id,
            [edge for _, edge in cut],
            [windows[number].end_at for number, _ in cut],
            event_sql(metric),
        )
        _merge(tallies, cut, found)
    return tallies


def _wholes(splits: Sequence[Split]) -> list[tuple[int, Interval]]:
    return [(number, one.whole) for number, one in enumerate(splits) if one.whole is not None]


def _merge(
    tallies: list[Tally], numbered: Sequence[tuple[int, Interval]], found: Sequence[Tally]
) -> None:
    for (number, _), tally in zip(numbered, found, strict=True):
        tallies[number] = merge(tallies[number], tally)
