"""One flush: many callers' events in one transaction, which claims, copies, adds up and counts itself (EVT-2, EVT-7).

Data plane, within the budget of write_events.py. Every flush takes its rows in the same order, so that no two wait for
each other crosswise.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime

from candela_server.kernel.clock import Clock
from candela_server.storage.events import Connection, EventStore

from . import sql_store, store
from .add_usage import add_usage, bumps_of
from .cache import Bump
from .claim_events import First, by_window, claim_free_keys, claim_keys
from .directory import Directory
from .event_lanes import Batch
from .event_partitions import EventPartitions
from .event_writer import Care, Writer
from .note_late_usage import note_late_usage
from .old_keys import OldKeys
from .prepared_event import PreparedEvent
from .rules.dedupe import claim_months, oldest_month
from .rules.folding import Folded, fold
from .rules.metric_reading import Readings


@dataclass(slots=True)
class Flushed:
    """What a committed flush decided and still has to tell; where all events were won, no payloads."""

    sequence: int
    won: set[bytes]
    stored_payloads: dict[bytes, int]
    bumps: list[Bump]
    met_known_keys: bool
    """Whether somebody had sent some of it before."""


class MetricsChangedError(Exception):
    """The metrics of a merchant are not those that this process knows."""

    def __init__(self, merchant_id: str) -> None:
        super().__init__(merchant_id)
        self.merchant_id = merchant_id


class WriterForgottenError(Exception):
    """The writer's row was removed; it registers again."""


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
        merchant_ids = sorted({batch.merchant_id for batch in batches})
        parts = by_window(
            [(batch.merchant_id, batch.events) for batch in batches],
            await self._oldest_months(merchant_ids, now),
        )
        searches = self._searches(parts, months, care)
        if writer.number is None:
            async with self._events.writer() as connection:
                number = await store.register_writer(connection, now)
            writer.number = number
        async with self._events.piecewise_writer() as connection:
            opened = await store.open_flush(connection, writer.number, merchant_ids, searches, now)
            if opened.sequence is None:
                raise WriterForgottenError
            readings = await self._readings(connection, merchant_ids, opened.versions)
            won: set[bytes] = set()
            stored = opened.standing
            for oldest, part in parts:
                if care is Care.CONTESTED:
                    claimed = await claim_keys(connection, part, months, oldest)
                    won |= claimed.won
                    stored |= claimed.standing
                else:
                    won |= await claim_free_keys(connection, part, months, stored)
            survivors = _in_order(batches, parts, won)
            folded = {
                merchant_id: fold(survivors[merchant_id], readings[merchant_id])
                for merchant_id in sorted(survivors)
            }
            if folded:
                await store.copy_events(
                    connection,
                    (event.row for events in survivors.values() for event in events),
                )
            # From here on other flushes wait for the rows that this one adds to: it ends with the same round trip.
            async with connection.pipeline():
                if folded:
                    await _add_up(connection, folded, survivors, readings, now)
                await store.commit_flush(connection)
        met_known_keys = bool(stored)
        if not all_won(batches, won):
            stored |= {
                key: event.payload_hash
                for _, part in parts
                for key, event in part.items()
                if key in won
            }
        bumps = [
            bump
            for merchant_id, one in folded.items()
            for bump in bumps_of(merchant_id, one, readings[merchant_id])
        ]
        return Flushed(opened.sequence, won, stored, bumps, met_known_keys)

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

    async def _readings(
        self, connection: Connection, merchant_ids: Sequence[str], versions: dict[str, int]
    ) -> dict[str, Readings]:
        """The metrics of the merchants, which cannot change before this transaction ends."""
        if len(versions) < len(merchant_ids):
            versions = await store.hold_metric_versions(connection, merchant_ids)
        readings = {}
        for merchant_id in merchant_ids:
            book = await self._directory.book(merchant_id)
            if book.metric_version != versions.get(merchant_id, 0):
                raise MetricsChangedError(merchant_id)
            readings[merchant_id] = book.readings
        return readings

    async def _oldest_months(self, merchant_ids: Sequence[str], now: datetime) -> dict[str, date]:
        """The first month that each merchant's keys are remembered from (EVT-2)."""
        return {
            merchant_id: oldest_month(now, (await self._directory.book(merchant_id)).dedupe_window)
            for merchant_id in merchant_ids
        }


async def _add_up(
    connection: Connection,
    folded: dict[str, Folded],
    survivors: dict[str, list[PreparedEvent]],
    readings: dict[str, Readings],
    now: datetime,
) -> None:
    """Adds to everything that is kept of events, by merchant."""
    await add_usage(connection, folded)
    await note_late_usage(connection, folded, survivors, readings, now)
    await sql_store.mark_buckets(
        connection,
        [
            (merchant_id, *mark)
            for merchant_id, events in sorted(survivors.items())
            for mark in readings[merchant_id].sql.marks(events)
        ],
    )


def all_won(batches: Sequence[Batch], won: Set[bytes]) -> bool:
    """Whether each event counts: then no two have the same key, and nobody had one before."""
    return len(won) == sum(len(batch.events) for batch in batches)


def _in_order(
    batches: Sequence[Batch], parts: Sequence[tuple[date, First]], won: Set[bytes]
) -> dict[str, list[PreparedEvent]]:
    """The events that count, by merchant and as they came: nearly by time, so that indexes grow at their ends."""
    survivors: dict[str, list[PreparedEvent]] = {}
    everything = all_won(batches, won)
    first = {} if everything else {key: one for _, part in parts for key, one in part.items()}
    for batch in batches:
        survivors.setdefault(batch.merchant_id, []).extend(
            batch.events
            if everything
            else [
                event
                for event in batch.events
                if event.key_hash in won and first[event.key_hash] is event
            ]
        )
    return {merchant_id: events for merchant_id, events in survivors.items() if events}
