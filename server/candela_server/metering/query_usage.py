"""What a metric measured in a window: the one function behind limits, invoices and charts (EVT-7, EVT-8).

Whole quarter-hours come from the rollups, so that the cost does not grow with the number of events; only a
quarter-hour that the window cuts, and what a young metric has not read yet, comes from the events themselves. All is
read in one snapshot: an event is in the answer or not, never half.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from candela_server.catalog.model import Aggregation, Metric
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore

from . import fill_progress_store, measure_sql, usage_store
from .kept_edges import KeptEdges
from .measure_sql import SqlReading
from .model import BucketSize, Tally, UsageAsk, UsageBucket, UsageOf
from .rules.aggregation import EMPTY, measured, merge, reach, stand, weighs_time
from .rules.bucket import Split, cut
from .rules.dedupe import claim_months
from .rules.event_key import hash_of_key
from .rules.filled import split_filled
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import event_sql
from .usage_store import Part
from .weigh_usage import NOTHING, carry_on, split_before, weigh

WRITER_MEMORY: Final = timedelta(hours=1)
"""How long after its last flush a writer is still named in vectors; none of its flushes is on its way by then."""


async def aggregate(
    store: EventStore, merchant_id: str, metric: Metric, who: UsageOf, window: Interval
) -> Decimal:
    """What `metric` measured for `who` in the half-open `window`; 0 when nothing happened."""
    [value] = await aggregate_many(
        store, merchant_id, [UsageAsk(metric=metric, who=who, window=window)]
    )
    return value


async def aggregate_many(
    store: EventStore,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    *,
    edges: KeptEdges | None = None,
) -> list[Decimal]:
    """The usage of each ask, in order, all as of one instant; made for a thousand at once.

    Who asks for the same windows again and again gives `edges`, which remember what the ends of these measured.
    """
    if not asks:
        return []
    async with measure_sql.reading(store, merchant_id, asks, edges=edges) as reading:
        return await _answer(reading, merchant_id, asks)


async def aggregate_with_vector(
    store: EventStore,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    *,
    now: datetime,
    within_s: float | None = None,
) -> tuple[list[Decimal], str]:
    """The usage of each ask, and up to which flush of each writer it contains events."""
    async with measure_sql.reading(store, merchant_id, asks, within_s=within_s) as reading:
        vector = await usage_store.read_vector(reading.connection, now - WRITER_MEMORY)
        return await _answer(reading, merchant_id, asks), vector


async def aggregate_beside_keys(
    store: EventStore,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    keys: Collection[str],
    *,
    now: datetime,
) -> tuple[list[Decimal], set[str]]:
    """The usage of each ask, and which of these idempotency keys have durable events, all as of one instant.

    Whoever knows of events that are on their way adds exactly those that are not in the usage yet.
    """
    async with measure_sql.reading(store, merchant_id, asks) as reading:
        values = await _answer(reading, merchant_id, asks)
        by_hash = {hash_of_key(merchant_id, key): key for key in keys}
        found = await usage_store.list_recorded_keys(
            reading.connection, list(by_hash), claim_months(now).oldest
        )
    return values, {by_hash[one] for one in found}


async def query_buckets(
    store: EventStore,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    window: Interval,
    *,
    size: BucketSize,
    zone: ZoneInfo,
) -> list[UsageBucket]:
    """The usage of a window cut into buckets of a time zone's calendar. Raises TooManyBucketsError."""
    windows = cut(window, size, zone)
    asks = [UsageAsk(metric=metric, who=who, window=part) for part in windows]
    async with measure_sql.reading(store, merchant_id, asks) as reading:
        values = await _answer(reading, merchant_id, asks, in_a_row=True)
    return [
        UsageBucket(window=part, value=value) for part, value in zip(windows, values, strict=True)
    ]


async def _answer(
    reading: SqlReading, merchant_id: str, asks: Sequence[UsageAsk], *, in_a_row: bool = False
) -> list[Decimal]:
    """Each ask's usage: built-in aggregations from rollups, queries in the sandbox, all of one snapshot.

    `in_a_row` says that the asks are of one metric, for windows that follow each other.
    """
    built_in = [ask for ask in asks if ask.metric.sql is None]
    if len(built_in) == len(asks):
        return await _measure(reading.connection, merchant_id, asks, in_a_row=in_a_row)
    known = iter(await _measure(reading.connection, merchant_id, built_in))
    return [
        next(known) if ask.metric.sql is None else await measure_sql.measure(reading, ask)
        for ask in asks
    ]


async def _measure(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    *,
    in_a_row: bool = False,
) -> list[Decimal]:
    filled = await fill_progress_store.read_filled(
        connection, merchant_id, sorted({ask.metric.id for ask in asks})
    )
    splits = [
        split_filled(
            ask.metric,
            ask.window if in_a_row and number else reach(ask.metric, ask.window),
            filled,
        )
        for number, ask in enumerate(asks)
    ]
    carried = [
        NOTHING
        if (in_a_row and number) or not weighs_time(ask.metric)
        else split_before(ask.metric, ask.window, filled)
        for number, ask in enumerate(asks)
    ]
    tallies = await tally_asks(connection, merchant_id, asks, splits, carried)
    if in_a_row:
        # What was there before is read once, not anew for every window.
        tallies = stand(tallies) if asks[0].metric.gauge else carry_on(tallies)
    return [
        measured(ask.metric, tally, ask.window) for ask, tally in zip(asks, tallies, strict=True)
    ]


async def tally_asks(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    splits: Sequence[Split],
    carried: Sequence[Split],
) -> list[Tally]:
    """What each ask adds up to, from rollups for the whole part of its split and from events for the edges.

    `carried` is how the time before each window is read, where that is carried in.
    """
    tallies = [EMPTY] * len(asks)
    await _read_rollups(connection, merchant_id, asks, splits, tallies)
    await _read_edges(connection, merchant_id, asks, splits, tallies)
    await _count_distinct(connection, merchant_id, asks, splits, tallies)
    weighted = [number for number, ask in enumerate(asks) if weighs_time(ask.metric)]
    if weighted:
        found = await weigh(
            connection,
            merchant_id,
            [asks[number] for number in weighted],
            [splits[number] for number in weighted],
            [carried[number] for number in weighted],
        )
        for number, tally in zip(weighted, found, strict=True):
            tallies[number] = tally
    return tallies


async def _read_rollups(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    splits: Sequence[Split],
    tallies: list[Tally],
) -> None:
    """Whole quarter-hours, in one statement, or two when some metrics want the latest value."""
    for last in (False, True):
        numbers, parts = [], []
        for number, ask in enumerate(asks):
            if not _is_of_parts(ask.metric) or _is_last(ask.metric) is not last:
                continue
            whole = splits[number].whole
            if whole is not None:
                numbers.append(number)
                parts.append(_part(ask, whole))
        if parts:
            found = await usage_store.read_rollups(connection, merchant_id, parts, last=last)
            for number, tally in zip(numbers, found, strict=True):
                tallies[number] = tally


async def _read_edges(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    splits: Sequence[Split],
    tallies: list[Tally],
) -> None:
    """Cut quarter-hours, in one statement per metric."""
    edges: dict[str, list[tuple[int, Part]]] = {}
    metrics: dict[str, Metric] = {}
    for number, ask in enumerate(asks):
        if not _is_of_parts(ask.metric):
            continue
        for edge in splits[number].edges:
            metrics[ask.metric.id] = ask.metric
            edges.setdefault(ask.metric.id, []).append((number, _part(ask, edge)))
    for metric_id, numbered in edges.items():
        metric = metrics[metric_id]
        found = await usage_store.read_events(
            connection,
            merchant_id,
            [part for _, part in numbered],
            event_sql(metric),
            last=_is_last(metric),
        )
        for (number, _), tally in zip(numbered, found, strict=True):
            tallies[number] = merge(tallies[number], tally)


async def _count_distinct(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    splits: Sequence[Split],
    tallies: list[Tally],
) -> None:
    """Distinct values: of all quarter-hours together, because they do not add up."""
    by_metric: dict[str, list[int]] = {}
    for number, ask in enumerate(asks):
        if _is_distinct(ask.metric):
            by_metric.setdefault(ask.metric.id, []).append(number)
    for metric_id, numbers in by_metric.items():
        counts = await usage_store.count_distinct(
            connection,
            merchant_id,
            metric_id,
            [
                [_part(asks[number], whole)] if (whole := splits[number].whole) is not None else []
                for number in numbers
            ],
            [[_part(asks[number], edge) for edge in splits[number].edges] for number in numbers],
            event_sql(asks[numbers[0]].metric),
        )
        for number, count in zip(numbers, counts, strict=True):
            tallies[number] = replace(EMPTY, distinct_count=count)


def _part(ask: UsageAsk, window: Interval) -> Part:
    return Part(
        ask.who.customer_id,
        ask.metric.id,
        ask.who.user_id or WHOLE_CUSTOMER,
        window.start_at,
        window.end_at,
    )


def _is_last(metric: Metric) -> bool:
    return metric.aggregation is Aggregation.LAST


def _is_of_parts(metric: Metric) -> bool:
    """Whether a window's usage can be read off what its parts add up to."""
    return not _is_distinct(metric) and not weighs_time(metric)


def _is_distinct(metric: Metric) -> bool:
    return metric.aggregation is Aggregation.UNIQUE
