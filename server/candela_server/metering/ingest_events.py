"""Group commit: many callers' events in one transaction, acknowledged once they are durable (EVT-1 … EVT-3).

Data plane. All calls and streams of a process feed one queue. A flush takes what is waiting, and in one transaction
claims the keys, copies the events whose key was free, adds to the rollups once per quarter-hour, and counts itself;
then it bumps the live counters; only then are the callers told. Acknowledged means committed, and visible to the next
check on any server.

What it gives up for speed: batches of several merchants share a transaction, as candela_events, beyond the tenants'
wall; so every statement carries merchant_id in its data.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import structlog

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Reason
from candela_server.storage.events import Connection, EventStore
from candela_server.storage.postgres import Postgres

from . import sql_store, store
from .cache import Bump, Span
from .directory import Directory
from .hold_events import Strangers
from .model import (
    MAX_BATCH_EVENTS,
    BatchTooLargeError,
    CountersUnsureError,
    IngestionUnavailableError,
    Outcome,
    Recorded,
    Rejection,
)
from .note_late_usage import note_late_usage
from .prepare_events import Prepared, PreparedEvent, Preparer
from .read_counters import Counters
from .rules.bucket import from_microseconds
from .rules.dedupe import claim_months, oldest_month
from .rules.folding import Folded, fold
from .rules.group import ALL_GROUPS
from .rules.metric_reading import Readings
from .settle_groups import settle_groups

log = structlog.get_logger()

WRITERS: Final = 2
"""Transactions at once: while one waits for the disk, the other folds and copies. More only wait for each other."""

MAX_FLUSH_EVENTS: Final = 8_000
"""Events after which a flush takes no further batch: some 50 ms of work."""

MAX_WAITING_EVENTS: Final = 60_000
"""Events that may wait in memory, some 60 MB; then callers wait, and streams stop being read."""

_LINGER_S: Final = 0.002
"""How long a small flush waits for company while another one is on its way."""

_SMALL_FLUSH: Final = 1_000
_ATTEMPTS: Final = 4
_RETRY_S: Final = 0.05


@dataclass(slots=True)
class _Batch:
    """One caller's events on their way."""

    merchant_id: str
    events: list[PreparedEvent]
    indexes: list[int]
    recorded: Recorded
    done: asyncio.Future[Recorded]


@dataclass(slots=True)
class _Flushed:
    """What a committed flush decided and still has to tell."""

    sequence: int
    won: set[bytes]
    stored_payloads: dict[bytes, int]
    bumps: list[Bump]


class _MetricsChangedError(Exception):
    """The metrics of a merchant are not those that this process knows."""

    def __init__(self, merchant_id: str) -> None:
        super().__init__(merchant_id)
        self.merchant_id = merchant_id


class _WriterForgottenError(Exception):
    """The writer's row was removed; it registers again."""


@dataclass(slots=True)
class _Writer:
    """One of the writers: its number, and how often it has flushed is kept in the database."""

    number: int | None = None
    busy: bool = False


class Ingestor:
    """Takes events in. One per process; `start` before use, `stop` drains."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        directory: Directory,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self._db = db
        self._events = events
        self._directory = directory
        self._counters = counters
        self._clock = clock
        self._preparer = Preparer(directory, clock)
        self._strangers = Strangers(db, events, directory, clock)
        self._queue: deque[_Batch] = deque()
        self._waiting_events = 0
        self._work = asyncio.Event()
        self._room = asyncio.Condition()
        self._writers = [_Writer() for _ in range(WRITERS)]
        self._tasks: list[asyncio.Task[None]] = []
        self._prepared_months: set[tuple[int, int]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Starts the writers."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._write(writer)) for writer in self._writers]

    async def stop(self) -> None:
        """Flushes what waits, then ends the writers."""
        self._stopping = True
        self._work.set()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def record(self, merchant_id: str, events: Sequence[Any]) -> Recorded:
        """What became of each event, once that is durable. Raises BatchTooLargeError, IngestionUnavailableError."""
        return await (await self.submit(merchant_id, events))

    async def submit(self, merchant_id: str, events: Sequence[Any]) -> asyncio.Future[Recorded]:
        """Queues a batch; the future tells what became of it once that is durable.

        Waits while too many events wait already: that is the back-pressure. Raises BatchTooLargeError.
        """
        if len(events) > MAX_BATCH_EVENTS:
            raise BatchTooLargeError(len(events))
        if self._stopping:
            raise IngestionUnavailableError
        prepared = await self._preparer.prepare(merchant_id, events)
        outcomes = await self._strangers.set_apart(merchant_id, events, prepared)
        return await self._queue_up(merchant_id, prepared, outcomes)

    async def record_again(
        self, merchant_id: str, events: Sequence[Any], came_us: Sequence[int]
    ) -> Recorded:
        """As `record`, for events that were kept apart and first came at these instants; none is kept again."""
        prepared = await self._preparer.prepare(merchant_id, events, came_us=came_us)
        unread = await self._strangers.refuse_unread(merchant_id, prepared)
        for rejection in unread:
            prepared.take(rejection.index)
        prepared.rejections.extend(unread)
        prepared.rejections.sort(key=lambda rejection: rejection.index)
        outcomes = [Outcome.REJECTED] * len(events)
        return await (await self._queue_up(merchant_id, prepared, outcomes))

    async def _queue_up(
        self, merchant_id: str, prepared: Prepared, outcomes: list[Outcome]
    ) -> asyncio.Future[Recorded]:
        recorded = Recorded(outcomes=outcomes, rejections=prepared.rejections)
        indexes = [index for index, event in enumerate(prepared.events) if event is not None]
        done: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        if not indexes:
            done.set_result(recorded)
            return done
        kept = [event for event in prepared.events if event is not None]
        async with self._room:
            await self._room.wait_for(
                lambda: self._waiting_events + len(kept) <= MAX_WAITING_EVENTS
            )
            self._waiting_events += len(kept)
        self._queue.append(_Batch(merchant_id, kept, indexes, recorded, done))
        self._work.set()
        return done

    async def _write(self, writer: _Writer) -> None:
        """One writer's life: take what waits, flush it, tell; until stopped and nothing waits."""
        while True:
            await self._work.wait()
            if not self._queue:
                if self._stopping:
                    return
                self._work.clear()
                continue
            if self._waiting_events < _SMALL_FLUSH and any(one.busy for one in self._writers):
                await asyncio.sleep(_LINGER_S)
            batches = self._take()
            if not batches:
                continue
            writer.busy = True
            try:
                await self._flush_and_tell(writer, batches)
            finally:
                writer.busy = False
                async with self._room:
                    self._waiting_events -= sum(len(batch.events) for batch in batches)
                    self._room.notify_all()

    def _take(self) -> list[_Batch]:
        batches: list[_Batch] = []
        size = 0
        while self._queue and (
            not batches or size + len(self._queue[0].events) <= MAX_FLUSH_EVENTS
        ):
            batch = self._queue.popleft()
            size += len(batch.events)
            batches.append(batch)
        return batches

    async def _flush_and_tell(self, writer: _Writer, batches: list[_Batch]) -> None:
        try:
            flushed = await self._flush_patiently(writer, batches)
        except store.TRANSIENT:
            log.warning("events_not_stored", batches=len(batches), exc_info=True)
            for batch in batches:
                _fail(batch, IngestionUnavailableError())
            return
        except (
            Exception
        ) as error:  # whatever it is, the callers must hear of it and the writer must live on
            if len(batches) > 1:
                # Something in one of them is not to the database's taste: the others shall not suffer for it.
                for batch in batches:
                    await self._flush_and_tell(writer, [batch])
                return
            log.exception("batch_not_stored", merchant_id=batches[0].merchant_id)
            _fail(batches[0], error)
            return
        assert writer.number is not None
        try:
            await self._counters.bump(writer.number, flushed.sequence, flushed.bumps)
        except CountersUnsureError:
            # Durable, but some server might not count them yet: sent again, they are found to be there.
            for batch in batches:
                _fail(batch, IngestionUnavailableError())
            return
        _tell(batches, flushed)

    async def _flush_patiently(self, writer: _Writer, batches: Sequence[_Batch]) -> _Flushed:
        """Flushes, again if need be. A repetition after an unknown outcome finds its own keys taken: it counts
        nothing twice, and reports as deduplicated what it had stored itself."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._flush(writer, batches)
            except _MetricsChangedError as changed:
                await self._directory.read_metrics_again(changed.merchant_id)
            except _WriterForgottenError:
                writer.number = None
            except store.MissingPartitionError:
                self._prepared_months.clear()
            except store.TRANSIENT:
                # It may have been committed all the same, and then nobody would bump the counters.
                self._counters.distrust()
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_RETRY_S * attempt)
        raise IngestionUnavailableError

    async def _flush(self, writer: _Writer, batches: Sequence[_Batch]) -> _Flushed:
        now = self._clock.now()
        months = claim_months(now)
        await self._prepare_partitions(batches, months.claimed)
        first = _first_by_key(batches)
        merchant_ids = sorted({batch.merchant_id for batch in batches})
        if writer.number is None:
            async with self._events.writer() as connection:
                number = await store.register_writer(connection, now)
            writer.number = number
        async with self._events.writer() as connection:
            readings = await self._hold_metrics(connection, merchant_ids)
            won: set[bytes] = set()
            stored: dict[bytes, int] = {}
            for oldest, part in _by_window(first, await self._oldest_months(merchant_ids, now)):
                taken = await claim_keys(connection, part, months.claimed, oldest)
                disputed = [key for key in part if key not in taken]
                if disputed:
                    stored |= await store.get_payload_hashes(connection, disputed, oldest)
                won |= taken
            survivors: dict[str, list[PreparedEvent]] = {}
            for key in won:
                merchant_id, event = first[key]
                survivors.setdefault(merchant_id, []).append(event)
            folded = {
                merchant_id: fold(survivors[merchant_id], readings[merchant_id])
                for merchant_id in sorted(survivors)
            }
            if folded:
                await store.copy_events(
                    connection,
                    (event.row for events in survivors.values() for event in events),
                )
                await _add(connection, folded)
                await note_late_usage(connection, folded, survivors, readings, now)
                await sql_store.mark_buckets(
                    connection,
                    [
                        (merchant_id, *mark)
                        for merchant_id, events in sorted(survivors.items())
                        for mark in readings[merchant_id].sql.marks(events)
                    ],
                )
            sequence = await store.count_flush(connection, writer.number, now)
            if sequence is None:
                raise _WriterForgottenError
        for key in won:
            stored[key] = first[key][1].payload_hash
        bumps = [
            bump
            for merchant_id, one in folded.items()
            for bump in _bumps(merchant_id, one, readings[merchant_id])
        ]
        return _Flushed(sequence, won, stored, bumps)

    async def _hold_metrics(
        self, connection: Connection, merchant_ids: Sequence[str]
    ) -> dict[str, Readings]:
        """The metrics of the merchants, which cannot change before this transaction ends."""
        versions = await store.hold_metric_versions(connection, merchant_ids)
        readings = {}
        for merchant_id in merchant_ids:
            book = await self._directory.book(merchant_id)
            if book.metric_version != versions.get(merchant_id, 0):
                raise _MetricsChangedError(merchant_id)
            readings[merchant_id] = book.readings
        return readings

    async def _oldest_months(self, merchant_ids: Sequence[str], now: datetime) -> dict[str, date]:
        """The first month that each merchant's keys are remembered from (EVT-2)."""
        return {
            merchant_id: oldest_month(now, (await self._directory.book(merchant_id)).dedupe_window)
            for merchant_id in merchant_ids
        }

    async def _prepare_partitions(self, batches: Sequence[_Batch], claimed: Sequence[Any]) -> None:
        """Makes the partitions that this flush needs and this process has not seen yet."""
        instants: dict[tuple[int, int], datetime] = {}
        seen_hours: set[int] = set()
        for batch in batches:
            for event in batch.events:
                hour = event.happened_us // 3_600_000_000
                if hour not in seen_hours:
                    seen_hours.add(hour)
                    instant = from_microseconds(event.happened_us)
                    instants[(instant.year, instant.month)] = instant
        missing = {
            month: at for month, at in instants.items() if month not in self._prepared_months
        }
        # Keys and events share the memory of what is there: the negative year tells them apart.
        missing_claims = [
            month for month in claimed if (-month.year, month.month) not in self._prepared_months
        ]
        if not missing and not missing_claims:
            return
        async with self._events.writer() as connection:
            if missing_claims:
                await store.prepare_event_keys(connection, missing_claims)
            if missing:
                await store.prepare_events(connection, list(missing.values()))
        self._prepared_months.update(missing)
        self._prepared_months.update((-month.year, month.month) for month in missing_claims)


First: TypeAlias = dict[bytes, tuple[str, PreparedEvent]]
"""The first event of each key in a flush, with its merchant; sorted by key."""


def _first_by_key(batches: Sequence[_Batch]) -> First:
    first: First = {}
    for batch in batches:
        for event in batch.events:
            if event.key_hash not in first:
                first[event.key_hash] = (batch.merchant_id, event)
    return {key: first[key] for key in sorted(first)}


def _by_window(first: First, oldest: dict[str, date]) -> list[tuple[date, First]]:
    """The keys by the first month they are remembered from: one part, unless merchants of several windows meet.

    The longest window first, in each flush: so no two wait for each other crosswise.
    """
    months = sorted(set(oldest.values()))
    if len(months) == 1:
        return [(months[0], first)]
    return [
        (month, {key: one for key, one in first.items() if oldest[one[0]] == month})
        for month in months
    ]


async def claim_keys(
    connection: Connection, first: First, months: Sequence[Any], oldest: Any
) -> set[bytes]:
    """The keys that this transaction takes; see rules/dedupe.py for the two months at a border."""
    keys = list(first)
    won: list[bytes] = keys
    for number, month in enumerate(months):
        taken = await store.claim_keys(
            connection,
            key_hashes=won,
            payload_hashes=[first[key][1].payload_hash for key in won],
            happened_us=[first[key][1].happened_us for key in won],
            month=month,
            # In the second month a look at the first would find our own claims of a moment ago.
            oldest_month=oldest if number == 0 else month,
        )
        if taken is None:
            continue
        taken_set = set(taken)
        if number > 0:
            lost = [key for key in won if key not in taken_set]
            await store.return_keys(connection, lost, months[0])
        won = [key for key in won if key in taken_set]
        if not won:
            break
    return set(won)


async def _add(connection: Connection, folded: dict[str, Folded]) -> None:
    """Adds all merchants' shares in the one order that every flush follows."""
    grouped, grouped_distinct = await settle_groups(connection, folded)
    shares = [
        ((merchant_id, customer_id, metric_id, user_id, ALL_GROUPS, bucket_us), share)
        for merchant_id, one in folded.items()
        for (customer_id, metric_id, user_id, bucket_us), share in one.shares.items()
    ]
    shares += grouped.items()
    rollups = [
        store.RollupRow(
            merchant_id=merchant_id,
            customer_id=customer_id,
            metric_id=metric_id,
            user_id=user_id,
            dimension=dimension,
            bucket_us=bucket_us,
            count=share.count,
            sum=share.sum,
            min=share.min,
            max=share.max,
            last_us=share.last_us,
            last_key=share.last_key,
            last_value=share.last_value,
            time=share.time,
        )
        for (merchant_id, customer_id, metric_id, user_id, dimension, bucket_us), share in sorted(
            shares
        )
    ]
    if rollups:
        await store.add_rollups(connection, rollups)
    distinct = [
        (
            merchant_id,
            customer_id,
            metric_id,
            user_id,
            ALL_GROUPS,
            from_microseconds(bucket_us),
            value,
        )
        for merchant_id, one in folded.items()
        for customer_id, metric_id, user_id, bucket_us, value in one.distinct
    ]
    distinct += grouped_distinct
    if distinct:
        await store.add_distinct_values(connection, sorted(distinct))
    unmatched = [
        store.UnmatchedRow(
            merchant_id,
            name,
            count,
            from_microseconds(first_us),
            from_microseconds(last_us),
        )
        for merchant_id, one in folded.items()
        for name, (count, first_us, last_us) in sorted(one.unmatched.items())
    ]
    if unmatched:
        await store.add_unmatched_names(connection, unmatched)


def _bumps(merchant_id: str, folded: Folded, readings: Readings) -> list[Bump]:
    """What the live counters are told: per customer, what each scope gained and between which instants."""
    bumps: dict[str, Bump] = {}
    for (customer_id, metric_id, user_id, _), share in folded.shares.items():
        bump = bumps.get(customer_id)
        if bump is None:
            bump = bumps[customer_id] = Bump(merchant_id, customer_id, {})
        amount: Decimal = readings.by_id[metric_id].counted(share.count, share.sum)
        bump.scopes.setdefault((metric_id, user_id), []).append(
            Span(share.first_us, share.last_us, amount)
        )
    return list(bumps.values())


def _tell(batches: Sequence[_Batch], flushed: _Flushed) -> None:
    """Answers every caller: the first of a won key was accepted, all others are compared with what stands."""
    unclaimed = set(flushed.won)
    accepted, deduplicated = Outcome.ACCEPTED, Outcome.DEDUPLICATED
    for batch in batches:
        outcomes, rejections = batch.recorded.outcomes, batch.recorded.rejections
        conflicts = False
        for index, event in zip(batch.indexes, batch.events, strict=True):
            key = event.key_hash
            if key in unclaimed:
                unclaimed.discard(key)
                outcomes[index] = accepted
            elif flushed.stored_payloads.get(key) == event.payload_hash:
                outcomes[index] = deduplicated
            else:
                conflicts = True
                rejections.append(
                    Rejection(
                        index,
                        Reason.EVENT_KEY_CONFLICT,
                        "idempotency_key",
                        "the key was used with another payload and the first one stands; use a new key",
                    )
                )
        if conflicts:
            rejections.sort(key=lambda rejection: rejection.index)
        if not batch.done.done():
            batch.done.set_result(batch.recorded)


def _fail(batch: _Batch, error: Exception) -> None:
    if not batch.done.done():
        batch.done.set_exception(error)
