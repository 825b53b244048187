"""Notes which days' usage changed long after they were over, and tells: so that billing need not look at every closed
period again to find the few that late events fell into (EVT-9).

A day is noted when an event is LATE_AFTER behind the present of the one that takes it in. What comes sooner is in time
for every period that is not closed within LATE_AFTER of its end; whoever closes one sooner, and customers on test
clocks, whose present is not the system's, are compared anyway: see billing/bill_late_usage.py. Nothing is noted while
events come as they happen, so that costs ingestion one comparison for each row that it adds to. What corrections
change is in corrected_usage already, and is asked for together with the days (EVT-4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.postgres import Tx

from . import late_usage_store
from .model import KnownSpan
from .rules.aggregation import BEGINNING, carries_in
from .rules.bucket import from_microseconds, to_microseconds
from .rules.folding import WHOLE_CUSTOMER, Folded
from .rules.metric_reading import Readings
from .rules.sql_metric_marks import MarkedEvent

LATE_AFTER: Final = timedelta(minutes=10)
"""Longer than any flush takes: what a bill did not see yet when it was made comes later than this, or is noted."""

KEPT_FOR: Final = timedelta(days=500)
"""How long a day stays noted: a yearly period's next invoice looks at it, and some time more."""


async def note_late_usage(
    connection: Connection,
    folded: Mapping[str, Folded],
    events: Mapping[str, Iterable[MarkedEvent]],
    readings: Mapping[str, Readings],
    now: datetime,
) -> None:
    """Notes the days of late events in the transaction that stores them.

    By merchant: what they add up to, and for metrics that are queries the events themselves.
    """
    bound_us = to_microseconds(now - LATE_AFTER)
    late = {
        (merchant_id, customer_id, metric_id, from_microseconds(share.first_us).date())
        for merchant_id, one in folded.items()
        for (customer_id, metric_id, user_id, _), share in one.shares.items()
        if share.first_us < bound_us and user_id == WHOLE_CUSTOMER
    } | {
        (merchant_id, customer_id, metric_id, from_microseconds(happened_us).date())
        for merchant_id, some in events.items()
        for customer_id, metric_id, happened_us in readings[merchant_id].sql.late(some, bound_us)
    }
    if late:
        await late_usage_store.note_days(connection, sorted(late), now)


async def customers_to_look_at(tx: Tx, customer_ids: Sequence[str]) -> set[str]:
    """Those of the customers whose usage of any day changed late or was corrected; most often nobody, and that costs
    nothing more."""
    return await late_usage_store.list_noted_customers(tx, customer_ids)


async def spans_changed(tx: Tx, spans: Sequence[KnownSpan]) -> list[bool]:
    """Of each span, whether its usage may have changed late, or was corrected, since somebody knew it.

    Of late events whole days of UTC are looked at, and of metrics that carry what was before into a span all days
    before it."""
    if not spans:
        return []
    carrying = {one.id for one in await catalog.list_metrics(tx) if carries_in(one)}
    return await late_usage_store.list_changed(
        tx,
        [
            replace(span, window=Interval(BEGINNING, span.window.end_at))
            if span.metric_id in carrying
            else span
            for span in spans
        ],
        before_seen=LATE_AFTER,
    )


async def forget_late_usage(events: EventStore, now: datetime) -> None:
    """Forgets what no invoice will look at any more."""
    async with events.writer() as connection:
        await late_usage_store.drop_days(connection, now - KEPT_FOR)
