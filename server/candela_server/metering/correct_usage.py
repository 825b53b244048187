"""What every correction does when its events are known: the fact, the rollups, and who must hear of it (EVT-4, EVT-7).

In one transaction, in which no flush of the merchant can run: the touched quarter-hours of every metric that reads the
events, of the customer and of the users, are made anew from the events that count, or marked where the metric is an
indexed query, which is measured anew when somebody asks. So no aggregation needs an inverse,
and what races with a correction is either in what it reads, or added to what it leaves behind.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Aggregation
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import correction_store, recount_store, sql_store, store
from .correction import BackfillId, ChosenEvent, Correction, CorrectionKind
from .event_statements import as_events
from .read_counters import Counters
from .rules.correction import changed_span, touched_buckets, touched_scopes
from .rules.metric_reading import event_sql, is_rolled_up
from .rules.sql_metric_marks import is_indexed

_MAX_TOLD: Final = 100
"""Customers whose entitlements are told of one by one; beyond, all of the merchant's are."""

_UNTOLD_FOR: Final = timedelta(minutes=10)
"""How long ago a correction may have been made whose maker died before the counters heard of it: more than any
statement may last and the comparison of the numbers, which finds it by itself within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What is still to be told after the commit: whose live counters are worthless now."""

    merchant_id: str
    customer_ids: frozenset[str]
    number: int


def new_correction(
    tx: Tx,
    clock: Clock,
    kind: CorrectionKind,
    *,
    event_count: int,
    reason: str,
    backfill_id: BackfillId | None = None,
) -> Correction:
    """A correction made by whoever calls, now."""
    return Correction(
        id=new_id("cor"),
        kind=kind,
        backfill_id=backfill_id,
        event_count=event_count,
        reason=reason,
        actor=tx.caller.actor if tx.caller else "system",
        corrected_at=clock.now(),
    )


async def correct_usage(
    tx: Tx, correction: Correction, touched: Sequence[ChosenEvent]
) -> Corrected | None:
    """Makes usage anew where these events count differently since the correction, which is stored; None for none.

    `correction_store.hold_flushes` must have been awaited before the events were chosen.
    """
    if not touched:
        return None
    metrics = await catalog.list_metrics(tx)
    spans = [
        (customer_id, metric.id, changed_span(metric, buckets))
        for metric in metrics
        for customer_id, buckets in touched_buckets(metric, touched).items()
    ]
    await correction_store.insert_corrected_usage(tx, correction, spans)
    async with as_events(tx) as statements:
        for metric in metrics:
            scopes = touched_scopes(metric, touched)
            if scopes and is_indexed(metric):
                await sql_store.mark_touched_buckets(statements, metric.id, scopes)
            if not scopes or not is_rolled_up(metric):
                continue
            reading = event_sql(metric)
            if metric.group_by:
                await recount_store.add_groups(statements, metric.id, scopes, reading)
            distinct = metric.aggregation is Aggregation.UNIQUE
            await recount_store.recount_rollups(
                statements, metric.id, scopes, reading, distinct=distinct
            )
            if distinct:
                await recount_store.recount_distinct_values(statements, metric.id, scopes, reading)
        number = await correction_store.register_correction(statements, correction.corrected_at)
    customer_ids = frozenset(event.customer_id for event in touched)
    told: Collection[str | None] = customer_ids if len(customer_ids) <= _MAX_TOLD else (None,)
    for customer_id in sorted(told, key=str):
        await tx.entitlements_changed(customer_id)
    return Corrected(merchant_id=tx.merchant_id, customer_ids=customer_ids, number=number)


async def tell_counters(events: EventStore, counters: Counters, corrected: Corrected) -> None:
    """Makes the live counters read usage anew; after the commit and before the answer.

    Whoever dies in between is noticed as after a flush: the counters' epoch changes within seconds.
    """
    if await counters.forget(corrected.merchant_id, corrected.customer_ids):
        try:
            async with events.writer() as connection:
                await correction_store.forget_correction(connection, corrected.number)
        except store.TRANSIENT:
            # The comparison of the numbers changes the epoch once more, needlessly.
            return


async def tell_counters_again(tx: Tx, counters: Counters, clock: Clock) -> None:
    """Makes the live counters of all whom this merchant corrected lately read usage anew, and nobody else's (ENT-4).

    For a repeated call: whoever made the correction may have died before the counters heard of it.
    """
    since = clock.now() - _UNTOLD_FOR
    customer_ids = await correction_store.list_corrected_customers(tx, since=since)
    await counters.forget(tx.merchant_id, customer_ids)
