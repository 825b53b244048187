"""Reads the events from before a metric into its rollups (EVT-10).

In one transaction, in which no flush of the merchant can run: its rollups are made anew from all events, so that none
is missing and none counts twice, whatever was flushed since the metric was made. A history too long for that is left
alone, and the metric's answers go on saying that they count from its creation.
"""

from __future__ import annotations

from typing import Final

import structlog

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Aggregation
from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import sql_store, store
from .read_counters import Counters
from .rules.metric_reading import event_sql, is_rolled_up
from .rules.sql_metric_marks import is_indexed

log = structlog.get_logger()

MAX_HISTORY: Final = 1_000_000
"""Events that one transaction reads: a few seconds, for which the merchant's events wait."""


async def fill_history(
    db: Postgres, events: EventStore, counters: Counters, clock: Clock, merchant_id: str
) -> int:
    """Fills every metric of the merchant that was not filled yet; answers how many were."""
    async with db.reading(merchant_id) as tx:
        filled = await store.list_filled_metrics(tx)
        metrics = [
            metric
            for metric in await catalog.list_metrics(tx)
            if metric.id not in filled and (is_rolled_up(metric) or is_indexed(metric))
        ]
    done = 0
    for metric in metrics:
        reading = event_sql(metric)
        async with events.writer() as connection:
            await store.hold_flushes(connection, merchant_id)
            count = await store.count_history(connection, merchant_id, reading, MAX_HISTORY + 1)
            if count > MAX_HISTORY:
                log.warning("metric_history_too_long", merchant_id=merchant_id, metric_id=metric.id)
                continue
            if metric.sql is not None:
                await sql_store.mark_history(connection, merchant_id, metric.id, reading)
            elif count:
                await store.fill_rollups(connection, merchant_id, metric.id, reading)
                if metric.aggregation is Aggregation.UNIQUE:
                    await store.fill_distinct_values(connection, merchant_id, metric.id, reading)
            await store.insert_metric_history(
                connection, merchant_id, metric.id, count, clock.now()
            )
        done += 1
        if count:
            # The rollups changed without a flush: no counter of this metric may be read again.
            counters.distrust()
    return done
