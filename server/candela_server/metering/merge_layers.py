"""Makes one row again of what writers kept in layers while old versions of rows had to stay (`rollup_layer.py`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore

from . import rollup_layer_store, store

MERGE_AFTER: Final = timedelta(minutes=30)
"""After a quarter-hour's beginning, when hardly any event of it still comes: a row that is merged is updated again."""

STEP_ROWS: Final = 2_000
"""Of a transaction: some 50 ms, in which flushes that add to the same rows wait."""


async def merge_layers(events: EventStore, clock: Clock, step_rows: int = STEP_ROWS) -> int:
    """Merges all that is old enough, step by step; hourly. Answers how many rows went. Usage stays as it is."""
    before_at = clock.now() - MERGE_AFTER
    async with events.reader() as connection:
        merchant_ids = await rollup_layer_store.list_layered(connection, before_at)
    total = 0
    for merchant_id in merchant_ids:
        async with events.writer() as connection:
            await rollup_layer_store.merge_names(connection, merchant_id)
        merged = step_rows
        while merged:
            async with events.writer() as connection:
                await store.hold_metrics(connection, merchant_id)
                merged = await rollup_layer_store.merge_rollups(
                    connection, merchant_id, before_at, step_rows
                )
            total += merged
    return total
