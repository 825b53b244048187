"""Reads the events from before a metric into its rollups, step by step and back in time (EVT-10).

Each step is a transaction in which no flush of the merchant runs: it makes the rollups of some quarter-hours anew from
all of their events and notes how far it has come. So nothing is missing and nothing counts twice, whatever is flushed
meanwhile, and whoever is killed goes on where the last step ended. Until it has ended, usage of what was not read yet
comes from the events themselves (rules/filled.py): the same number, at a higher cost. Of an indexed SQL metric, a step
marks the quarter-hours that have events; they are measured when somebody asks (measure_sql.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

import structlog

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Aggregation, Metric
from candela_server.catalog.refs import ById
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import fill_progress_store, fill_step_store, group_store, sql_store, store
from .metric_fill import UNREAD_FROM, FillId, FillStatus, MetricFill
from .read_counters import Counters
from .rules.bucket import BUCKET, bucket_start
from .rules.filled import step_start
from .rules.metric_reading import EventSql, event_sql, reads_history

log = structlog.get_logger()

STEP_EVENTS: Final = 20_000
"""Events that one step goes through, some tenths of a second, for which the merchant's flushes wait. More only where
they all lie in one quarter-hour."""

MAX_FAILURE_LENGTH: Final = 500


class Progress(Enum):
    """How far a fill is after a step. One that was interrupted goes on where it was, another time."""

    GOES_ON = auto()
    COMPLETE = auto()
    INTERRUPTED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """A fill that runs. `repairs` says that the metric held all history before, and is read once more."""

    merchant_id: str
    metric: Metric
    fill_id: FillId
    reading: EventSql
    repairs: bool


async def list_unfilled(
    db: Postgres, events: EventStore, clock: Clock, merchant_id: str
) -> list[Unfilled]:
    """The merchant's fills that run, oldest first; those of metrics that never had one are begun."""
    metrics, filled_before = await _start_missing_fills(db, clock, merchant_id)
    async with events.reader() as connection:
        running = await fill_progress_store.list_running_fills(connection, merchant_id)
    return [
        Unfilled(
            merchant_id=merchant_id,
            metric=metric,
            fill_id=fill.id,
            reading=event_sql(metric),
            repairs=metric.id in filled_before,
        )
        for fill in running
        if (metric := metrics.get(fill.metric_id)) is not None
    ]


async def take_step(
    events: EventStore, counters: Counters, clock: Clock, one: Unfilled
) -> Progress:
    """Goes on with a fill by one step; one that cannot be done is failed, with the reason."""
    try:
        fill = await _step(events, clock, one.merchant_id, one.metric, one.fill_id, one.reading)
    except store.TRANSIENT:
        # What is done stays done; the next run of the job goes on.
        log.warning("metric_fill_interrupted", metric_id=one.metric.id, exc_info=True)
        return Progress.INTERRUPTED
    except Exception as error:
        log.exception("metric_fill_failed", merchant_id=one.merchant_id, metric_id=one.metric.id)
        await _fail(events, clock, one.merchant_id, one.fill_id, error)
        return Progress.ENDED
    if fill is None:
        return Progress.ENDED
    if fill.finished_at is None:
        return Progress.GOES_ON
    if one.repairs:
        # It may have repaired what a counter was made of.
        counters.distrust()
    return Progress.COMPLETE


async def start_fill(tx: Tx, clock: Clock, metric: Metric) -> MetricFill:
    """The metric's running fill, started now if there is none. The caller holds the metric's row."""
    latest = await fill_progress_store.find_latest_fill(tx, metric.id)
    if latest is None or latest.finished_at is not None:
        await fill_progress_store.insert_fill(tx, FillId(new_id("fill")), metric.id, clock.now())
        latest = await fill_progress_store.find_latest_fill(tx, metric.id)
        assert latest is not None
    return latest


async def _start_missing_fills(
    db: Postgres, clock: Clock, merchant_id: str
) -> tuple[dict[str, Metric], set[str]]:
    """Starts a fill of each metric that never had one; one that failed waits for FillMetric.

    Answers all metrics, and which of them hold all history already.
    """
    async with db.reading(merchant_id) as tx:
        metrics: dict[str, Metric] = {
            one.id: one for one in await catalog.list_metrics(tx) if reads_history(one)
        }
        filled = await store.list_filled_metrics(tx)
        known = filled | (await fill_progress_store.list_fill_statuses(tx)).keys()
    for metric in metrics.values():
        if metric.id not in known:
            async with db.writing(merchant_id) as tx:
                locked = await catalog.get_metric(tx, ById(metric.id), lock=True)
                await start_fill(tx, clock, locked)
    return metrics, filled


async def _step(
    events: EventStore,
    clock: Clock,
    merchant_id: str,
    metric: Metric,
    fill_id: FillId,
    reading: EventSql,
) -> MetricFill | None:
    """One step; the fill after it, None when somebody else has ended it."""
    async with events.writer() as connection:
        # First, as flushes do: whoever waits here holds nothing that they need.
        await store.hold_flushes(connection, merchant_id)
        fill = await fill_progress_store.lock_running_fill(connection, merchant_id, fill_id)
        if fill is None:
            return None
        if fill.window is None:
            fill = await _begin(connection, clock, merchant_id, fill, reading)
        if fill.window is not None:
            fill = await _read_back(connection, merchant_id, metric, fill, reading, fill.window)
        if fill.window is None or fill.filled_from_at <= fill.window.start_at:
            fill = replace(
                fill,
                status=FillStatus.COMPLETE,
                estimated_count=fill.read_count,
                finished_at=clock.now(),
            )
            await store.insert_metric_history(
                connection, merchant_id, metric.id, fill.read_count, clock.now()
            )
            log.info("metric_filled", metric_id=metric.id, events=fill.read_count)
        await fill_progress_store.save_fill(connection, merchant_id, fill)
    return fill


async def _begin(
    connection: Connection, clock: Clock, merchant_id: str, fill: MetricFill, reading: EventSql
) -> MetricFill:
    """Finds what there is to read; the fill stays without a window when that is nothing."""
    span = await fill_step_store.find_event_span(connection, merchant_id)
    if span is None:
        return fill
    filled = await fill_progress_store.read_filled(connection, merchant_id, [fill.metric_id])
    first_at = max(span[0], filled.kept_since or span[0])
    return replace(
        fill,
        window=Interval(bucket_start(first_at), bucket_start(max(first_at, span[1])) + BUCKET),
        filled_from_at=UNREAD_FROM,
        estimated_count=await fill_step_store.estimate_events(connection, merchant_id, reading),
    )


async def _read_back(
    connection: Connection,
    merchant_id: str,
    metric: Metric,
    fill: MetricFill,
    reading: EventSql,
    window: Interval,
) -> MetricFill:
    """Makes the rollups of the quarter-hours before those that are filled."""
    crowded_at = await fill_step_store.find_crowded_instant(
        connection, merchant_id, fill.filled_from_at, STEP_EVENTS
    )
    start_at = max(step_start(crowded_at, fill.filled_from_at, window.start_at), window.start_at)
    span = Interval(start_at, fill.filled_from_at)
    read_count = fill.read_count + await _fill_span(connection, merchant_id, metric, reading, span)
    return replace(
        fill,
        filled_from_at=start_at,
        read_count=read_count,
        estimated_count=max(fill.estimated_count, read_count),
    )


async def _fill_span(
    connection: Connection, merchant_id: str, metric: Metric, reading: EventSql, span: Interval
) -> int:
    """Makes what the metric keeps of a span of whole quarter-hours; answers of how many events."""
    if metric.sql is not None:
        return await sql_store.mark_history(connection, merchant_id, metric.id, reading, span)
    distinct = metric.aggregation is Aggregation.UNIQUE
    if metric.group_by:
        await group_store.add_groups_of_events(connection, merchant_id, metric.id, reading, span)
    read_count = await fill_step_store.fill_rollups(
        connection, merchant_id, metric.id, reading, span, distinct=distinct
    )
    if distinct:
        await fill_step_store.fill_distinct_values(
            connection, merchant_id, metric.id, reading, span
        )
    return read_count


async def _fail(
    events: EventStore, clock: Clock, merchant_id: str, fill_id: FillId, error: Exception
) -> None:
    failure = f"{type(error).__name__}: {error}"[:MAX_FAILURE_LENGTH]
    async with events.writer() as connection:
        fill = await fill_progress_store.lock_running_fill(connection, merchant_id, fill_id)
        if fill is not None:
            ended = replace(
                fill, status=FillStatus.FAILED, failure=failure, finished_at=clock.now()
            )
            await fill_progress_store.save_fill(connection, merchant_id, ended)
