"""The months that flushes write into, and what this process knows of them, so that it asks once a month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from candela_server.storage.events import EventStore

from . import key_store, store
from .event_lanes import Batch
from .rules.bucket import from_microseconds

_HOUR_US: Final = 3_600_000_000


class EventPartitions:
    """Partitions of events and of their keys."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._months: set[tuple[int, int]] = set()
        self._claim_months: set[date] = set()

    def forget(self) -> None:
        """Looks anew: one that was there is gone."""
        self._months.clear()
        self._claim_months.clear()

    async def prepare(self, batches: Sequence[Batch], claimed: Sequence[date]) -> None:
        """Makes the partitions that a flush needs and this process has not seen yet."""
        instants: dict[tuple[int, int], datetime] = {}
        for batch in batches:
            happened_us = [event.happened_us for event in batch.events]
            first, last = (from_microseconds(one(happened_us)) for one in (min, max))
            # Mostly all are of one month; else of several at most, as nothing may be late for long.
            if (first.year, first.month) == (last.year, last.month):
                instants[first.year, first.month] = first
            else:
                for hour in {one // _HOUR_US for one in happened_us}:
                    instant = from_microseconds(hour * _HOUR_US)
                    instants[instant.year, instant.month] = instant
        missing = {month: at for month, at in instants.items() if month not in self._months}
        missing_claims = [month for month in claimed if month not in self._claim_months]
        if not missing and not missing_claims:
            return
        async with self._events.writer() as connection:
            if missing_claims:
                await key_store.prepare_event_keys(connection, missing_claims)
            if missing:
                await store.prepare_events(connection, list(missing.values()))
        self._months.update(missing)
        self._claim_months.update(missing_claims)
