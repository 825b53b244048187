"""Makes events count no longer, by key or by filter, and says beforehand what that would change (EVT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Aggregation, Metric, MetricId
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerId, CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import chosen_event_store, correction_store, usage_store
from .correct_usage import Corrected, correct_usage, new_correction
from .correction import (
    MAX_CHANGES,
    MAX_VOIDED_EVENTS,
    ByFilter,
    ByKeys,
    ChosenEvent,
    CorrectionKind,
    EventNotCountedError,
    Selection,
    TooManyVoidedError,
    UsageChange,
)
from .event_statements import ReadingStatements, Statements, as_events
from .find_events import find_events, remembered_since
from .model import UsageAsk, UsageOf
from .rules.aggregation import EMPTY, measured, merge, weighs_time
from .rules.correction import gaps, runs, span_of, touched_buckets, touched_scopes
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import EventSql, event_sql, is_rolled_up
from .usage_store import Part
from .weigh_usage import before, weigh_spans

_PAIRS_TOGETHER: Final = 200
"""Customers whose usage of one metric a preview reads in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events: a customer as the caller names it, names and a window."""

    customer: CustomerRef | None
    names: tuple[str, ...]
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidEvents:
    """Which events are to count no longer, and why."""

    target: ByKeys | Filter
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a void would change; `unmeasured` are the metrics in SQL that may change besides."""

    event_count: int
    changes: list[UsageChange]
    unmeasured: list[MetricId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """How many events count no longer; `corrected` is to be told to the counters after the commit."""

    count: int
    corrected: Corrected | None


async def void_events(tx: Tx, clock: Clock, command: VoidEvents) -> Voided:
    """Voids events; those voided before stay so and are not counted.

    Raises EventNotFoundError when a key is unknown, EventNotCountedError for an event of a backfill that is not
    applied, TooManyVoidedError and CustomerNotFoundError; then nothing is voided.
    """
    selection = await _resolve(tx, command.target)
    await correction_store.hold_flushes(tx)
    oldest = await remembered_since(tx, clock.now())
    async with as_events(tx) as statements:
        chosen = await choose(statements, tx.merchant_id, selection, oldest)
    correction = new_correction(
        tx, clock, CorrectionKind.VOID, event_count=len(chosen), reason=command.reason
    )
    corrected = None
    if chosen:
        await correction_store.insert_correction(tx, correction)
        async with as_events(tx) as statements:
            await correction_store.insert_voids(statements, correction, chosen)
        corrected = await correct_usage(tx, correction, chosen)
    await tx.audit(
        "events.voided",
        correction.id,
        after={"event_count": len(chosen), **_trace(selection)},
        reason=command.reason,
    )
    return Voided(count=len(chosen), corrected=corrected)


async def preview_void(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, target: ByKeys | Filter
) -> Preview:
    """What `void_events` would change now, chosen in the same way. Raises the same errors."""
    async with db.reading(merchant_id) as tx:
        selection = await _resolve(tx, target)
        known = await catalog.list_metrics(tx)
        metrics = [metric for metric in known if is_rolled_up(metric)]
        oldest = await remembered_since(tx, clock.now())
    changes: list[UsageChange] = []
    async with events.reader() as connection:
        chosen = await choose(ReadingStatements(connection), merchant_id, selection, oldest)
        for metric in metrics:
            changes += await _changes(
                connection, merchant_id, metric, chosen, MAX_CHANGES - len(changes)
            )
    changes.sort(key=lambda change: (change.customer_id, change.metric_id))
    unmeasured = [
        metric.id for metric in known if metric.sql is not None and touched_scopes(metric, chosen)
    ]
    return Preview(event_count=len(chosen), changes=changes, unmeasured=sorted(unmeasured))


async def choose(
    statements: Statements, merchant_id: str, selection: Selection, oldest: date
) -> list[ChosenEvent]:
    """The events that a selection means and that count: the one way to choose, for a void and its preview."""
    match selection:
        case ByKeys(keys):
            found = await find_events(statements, merchant_id, keys, oldest, field=_KEYS_FIELD)
            for event in found:
                if not event.counts and event.voided_at is None:
                    raise EventNotCountedError(event, _KEYS_FIELD)
            return [event.chosen for event in found if event.counts]
        case ByFilter():
            chosen = await chosen_event_store.list_counted_events(
                statements, merchant_id, selection, MAX_VOIDED_EVENTS + 1
            )
            if len(chosen) > MAX_VOIDED_EVENTS:
                raise TooManyVoidedError
            return chosen


async def _resolve(tx: Tx, target: ByKeys | Filter) -> Selection:
    if isinstance(target, ByKeys):
        return target
    who = await customer.get_customer(tx, target.customer) if target.customer else None
    return ByFilter(customer_id=who.id if who else None, names=target.names, window=target.window)


async def _changes(
    connection: Connection,
    merchant_id: str,
    metric: Metric,
    chosen: Sequence[ChosenEvent],
    limit: int,
) -> list[UsageChange]:
    """What one metric would measure without the chosen events, for each customer whose usage would differ."""
    touched = list(touched_buckets(metric, chosen).items())
    reading = event_sql(metric)
    without = _without(reading, chosen)
    changes: list[UsageChange] = []
    for start in range(0, len(touched), _PAIRS_TOGETHER):
        if len(changes) >= limit:
            break
        some = touched[start : start + _PAIRS_TOGETHER]
        spans = [(customer_id, span_of(buckets)) for customer_id, buckets in some]
        old_values = await _measure(
            connection,
            merchant_id,
            metric,
            reading,
            [(one, span, [span], []) for one, span in spans],
        )
        new_values = await _measure(
            connection,
            merchant_id,
            metric,
            without,
            [(one, span_of(buckets), gaps(buckets), runs(buckets)) for one, buckets in some],
        )
        changes += [
            UsageChange(
                customer_id=customer_id,
                metric_id=metric.id,
                window=span,
                value_before=old,
                value_after=new,
            )
            for (customer_id, span), old, new in zip(spans, old_values, new_values, strict=True)
            if old != new
        ]
    return changes[:limit]


async def _measure(
    connection: Connection,
    merchant_id: str,
    metric: Metric,
    reading: EventSql,
    asked: Sequence[tuple[str, Interval, list[Interval], list[Interval]]],
) -> list[Decimal]:
    """What the metric measures per customer and window: some spans of it from the rollups, some from the events."""
    windows = [window for _, window, _, _ in asked]
    earlier = [[before(window)] if metric.gauge else [] for window in windows]
    whole = [
        [_part(one, metric, span) for span in (*some, *spans)]
        for some, (one, _, spans, _) in zip(earlier, asked, strict=True)
    ]
    raw = [[_part(one, metric, span) for span in spans] for one, _, _, spans in asked]
    if metric.aggregation is Aggregation.UNIQUE:
        counts = await usage_store.count_distinct(
            connection, merchant_id, metric.id, whole, raw, reading
        )
        return [
            measured(metric, replace(EMPTY, distinct_count=count), window)
            for count, window in zip(counts, windows, strict=True)
        ]
    if weighs_time(metric):
        asks = [
            UsageAsk(metric=metric, who=UsageOf(customer_id=CustomerId(one)), window=window)
            for one, window, _, _ in asked
        ]
        weighed = await weigh_spans(
            connection,
            merchant_id,
            asks,
            # What came before is not among the chosen: the rollups know it.
            [[before(window), *spans] for _, window, spans, _ in asked],
            [spans for _, _, _, spans in asked],
            reading,
        )
        return [measured(metric, *one) for one in zip(weighed, windows, strict=True)]
    tallies = [EMPTY] * len(asked)
    last = metric.aggregation is Aggregation.LAST
    for parts, from_rollups in ((whole, True), (raw, False)):
        numbered = [(number, part) for number, some in enumerate(parts) for part in some]
        if not numbered:
            continue
        flat = [part for _, part in numbered]
        found = (
            await usage_store.read_rollups(connection, merchant_id, flat, last=last)
            if from_rollups
            else await usage_store.read_events(connection, merchant_id, flat, reading, last=last)
        )
        for (number, _), tally in zip(numbered, found, strict=True):
            tallies[number] = merge(tallies[number], tally)
    return [measured(metric, *one) for one in zip(tallies, windows, strict=True)]


def _without(reading: EventSql, chosen: Sequence[ChosenEvent]) -> EventSql:
    """The same reading as if the chosen events were voided."""
    return replace(
        reading,
        condition=f"{reading.condition} AND NOT event.key_hash = ANY(%(voided_keys)s::uuid[])",
        parameters={**reading.parameters, "voided_keys": [event.key_hash for event in chosen]},
    )


def _part(customer_id: str, metric: Metric, window: Interval) -> Part:
    return Part(customer_id, metric.id, WHOLE_CUSTOMER, window.start_at, window.end_at)


def _trace(selection: Selection) -> dict[str, object]:
    if isinstance(selection, ByKeys):
        return {"idempotency_keys": list(selection.keys)}
    return {
        "customer_id": selection.customer_id,
        "names": list(selection.names),
        "start_at": selection.window.start_at,
        "end_at": selection.window.end_at,
    }


_KEYS_FIELD: Final = "idempotency_keys"
