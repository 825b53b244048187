"""One flush: many callers' events in one transaction, which claims, copies, adds up and counts itself (EVT-2, EVT-7).

Data plane, within the budget of write_events.py. Every flush takes its rows in the same order, so that no two wait for
each other crosswise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore

from . import store
from .claim_events import First, by_window
from .directory import Book, Directory
from .event_lanes import Batch
from .event_partitions import EventPartitions
from .event_writer import Care, Writer
from .flush_at_once import flush_at_once, goes_at_once
from .flush_in_steps import flush_in_steps
from .flush_work import Flushed, Work
from .old_keys import OldKeys
from .rules.dedupe import claim_months, oldest_month


class Flusher:
    """Flushes for the writers of one process, and knows which partitions they have seen."""

    def __init__(
        self, events: EventStore, directory: Directory, clock: Clock, old_keys: OldKeys
    ) -> None:
        self._events = events
        self._directory = directory
        self._clock = clock
        self.partitions = EventPartitions(events)
        self._old_keys = old_keys

    async def flush(self, writer: Writer, batches: Sequence[Batch], care: Care) -> Flushed:
        """Stores what of these batches nobody sent before, in one transaction that ends with this call.

        Raises MetricsChangedError, WriterForgottenError and the store's errors; then it stored nothing, unless the
        database did not tell what became of its commit. Raises KeyTakenError when a key asks for more `care`.
        """
        now = self._clock.now()
        months = claim_months(now).claimed
        await self.partitions.prepare(batches, months)
        books = await self._books({batch.merchant_id for batch in batches})
        parts = by_window(
            [(batch.merchant_id, batch.events) for batch in batches],
            {book.merchant_id: oldest_month(now, book.dedupe_window) for book in books},
        )
        searches = self._searches(parts, months, care)
        if writer.number is None:
            async with self._events.writer() as connection:
                number = await store.register_writer(connection, now)
            writer.register(number)
        work = Work(
            writer=writer.flushing(),
            batches=batches,
            parts=parts,
            months=months,
            # Read together: nothing may come between.
            readings={book.merchant_id: book.readings for book in books},
            versions={book.merchant_id: book.metric_version for book in books},
            now=now,
        )
        async with self._events.piecewise_writer() as connection:
            if care is Care.TRUSTING and goes_at_once(work):
                return await flush_at_once(connection, work, searches)
            return await flush_in_steps(connection, work, searches, care)

    def _searches(
        self, parts: Sequence[tuple[date, First]], months: Sequence[date], care: Care
    ) -> list[store.KeySearch]:
        """The keys to look for first. What the months that are claimed now hold, copying into them tells as well."""
        if care is Care.CONTESTED:
            return []
        searches = []
        for oldest, part in parts:
            keys = list(part)
            searches += self._old_keys.searches(keys, oldest, months[0])
            if care is Care.LOOKING:
                searches.append(store.KeySearch(keys, months[0], date.max))
        return searches

    async def _books(self, merchant_ids: Iterable[str]) -> list[Book]:
        return [await self._directory.book(merchant_id) for merchant_id in sorted(merchant_ids)]
