"""The months that flushes write into, and what this process knows of them, so that it asks once a month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final

from candela_server.storage.events import EventStore

from . import key_store, store
from .event_lanes import Batch
from .rules.bucket import from_microseconds

_HOUR_US: Final = 3_600_000_000


class EventPartitions:
    """Partitions of events and of their keys.

    The present month's are made before the first flush of it, as the months around it are by the worker. What lies
    further off is rare: the database refuses it for once, which is cheaper than looking at the time of each event.
    """

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._claim_months: set[date] = set()
        self._is_one_missing = False

    def forget(self) -> None:
        """Looks anew, at every event of the next flush: one that was there is gone, or never was."""
        self._claim_months.clear()
        self._is_one_missing = True

    async def prepare(self, batches: Sequence[Batch], claimed: Sequence[date]) -> None:
        """Makes the partitions that a flush needs and this process has not seen yet."""
        missing = [month for month in claimed if month not in self._claim_months]
        if not missing and not self._is_one_missing:
            return
        instants = [datetime.combine(month, time(), UTC) for month in missing]
        if self._is_one_missing:
            self._is_one_missing = False
            instants += _one_of_each_month(batches)
        async with self._events.writer() as connection:
            if missing:
                await key_store.prepare_event_keys(connection, missing)
            await store.prepare_events(connection, instants)
        self._claim_months.update(missing)


def _one_of_each_month(batches: Sequence[Batch]) -> list[datetime]:
    hours = {event.happened_us // _HOUR_US for batch in batches for event in batch.events}
    instants = [from_microseconds(hour * _HOUR_US) for hour in hours]
    return list({(instant.year, instant.month): instant for instant in instants}.values())
