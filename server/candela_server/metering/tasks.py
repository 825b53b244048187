"""What metering does while nobody waits. Plain functions; the worker gives each a timetable."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import (
    age_store,
    backfill_store,
    key_filter_store,
    key_store,
    rejected_event_store,
    store,
)
from . import sweep_counters as sweep
from .backfills import STEP_EVENTS, continue_backfill
from .cache import CounterError
from .correct_usage import tell_counters
from .fill_in_turns import fill_in_turns
from .read_counters import Counters
from .rejected_event import KEPT_FOR
from .rules.chunk_interval import LOOK_BACK, fitting_interval
from .rules.dedupe import DEFAULT_WINDOW, claim_months, months_ahead
from .sweep_counters import Swept

COMPRESS_AFTER: Final = timedelta(days=60)
"""When nothing comes late any more: the lateness bound, and time for corrections."""
log = structlog.get_logger()


async def prepare_partitions(events: EventStore, clock: Clock) -> None:
    """Makes the partitions of the next months before they are needed; daily. Harmless twice."""
    now = clock.now()
    async with events.writer() as connection:
        await key_store.prepare_event_keys(connection, months_ahead(now))
        await store.prepare_events(
            connection, [now - timedelta(days=31), now, now + timedelta(days=31)]
        )


async def drop_old_keys(
    events: EventStore, clock: Clock, window: timedelta = DEFAULT_WINDOW
) -> int:
    """Drops keys that no repetition is compared with any more; daily. Answers how many months went (EVT-2)."""
    oldest = claim_months(clock.now(), window).oldest
    async with events.writer() as connection:
        await key_filter_store.delete_filters(connection, oldest)
        return await key_store.drop_event_keys(connection, oldest)


async def age_events(events: EventStore, clock: Clock, retention: timedelta | None) -> int:
    """Compresses old events where the database can, and drops those beyond the retention; hourly. Harmless twice.

    Answers how many partitions or chunks were dropped. Usage stays: rollups are never dropped.
    """
    async with events.writer() as connection:
        await age_store.compress_events(connection, COMPRESS_AFTER)
    if retention is None:
        return 0
    async with events.writer() as connection:
        return await age_store.drop_events(connection, clock.now() - retention)


async def fit_chunks(events: EventStore, clock: Clock) -> timedelta | None:
    """Makes the next chunks of events as long as their indexes fit in memory at the rate of late; hourly.

    Answers the new length, None where it stays or where there are no chunks. Looks at a month of chunks at most.
    """
    now = clock.now()
    async with events.writer() as connection:
        known = await age_store.read_chunk_interval(connection)
        if known is None:
            return None
        present, cache_bytes = known
        chunks = await age_store.list_recent_chunks(connection, now - LOOK_BACK)
        wanted = fitting_interval(present, chunks, cache_bytes, now)
        if wanted == present:
            return None
        await age_store.set_chunk_interval(connection, wanted)
    log.info("event_chunks_fitted", before=str(present), after=str(wanted))
    return wanted


async def forget_old_keys(db: Postgres, events: EventStore, clock: Clock) -> int:
    """As `drop_old_keys`, for the longest window that a merchant has chosen; hourly (EVT-2)."""
    async with db.system() as tx:
        window = await merchant.longest_dedupe_window(tx)
    try:
        return await drop_old_keys(events, clock, window or DEFAULT_WINDOW)
    except store.TRANSIENT:
        # Dropping a month waits for the flushes that run; when there is no quick way in, the next hour has one.
        log.warning("event_keys_not_dropped", exc_info=True)
        return 0


async def sweep_counters(
    db: Postgres, events: EventStore, counters: Counters, clock: Clock
) -> Swept | None:
    """Compares some of the live counters with the rollups, going on where the last run ended (ENT-4). None when there
    is no Redis that answers, or its counters are not read anyhow: the next run has its turn."""
    walk = counters.walk
    if walk is None:
        return None
    try:
        return await sweep.sweep_counters(db, events, walk, clock, is_trusted=counters.trusted)
    except (CounterError, *store.TRANSIENT):
        log.warning("counters_not_swept", exc_info=True)
        return None


async def delete_old_letters(db: Postgres, clock: Clock) -> int:
    """Deletes the events that were kept apart for long enough; hourly. Answers how many (EVT-11)."""
    async with db.system() as tx:
        return await rejected_event_store.delete_letters_before(tx, clock.now() - KEPT_FOR)


async def fill_metrics(db: Postgres, events: EventStore, counters: Counters, clock: Clock) -> int:
    """Reads history into metrics that need it, to the end and in turns; each minute, and when one is asked for
    (EVT-10)."""
    return await fill_in_turns(db, events, counters, clock)


async def continue_backfills(
    db: Postgres,
    events: EventStore,
    counters: Counters,
    clock: Clock,
    step_events: int = STEP_EVENTS,
) -> int:
    """Goes through the backfills that are being applied or reverted, to their ends; each minute. Answers how many
    steps it took; each is a transaction of its own, so that whatever breaks it off, the next run goes on."""
    async with db.system() as tx:
        unfinished = await backfill_store.list_unfinished(tx)
    steps = 0
    for merchant_id, backfill_id in unfinished:
        going = True
        while going:
            async with db.writing(merchant_id) as tx:
                stepped = await continue_backfill(tx, clock, backfill_id, step_events=step_events)
            if stepped.corrected is not None:
                await tell_counters(events, counters, stepped.corrected)
            going = stepped.backfill.unfinished
            steps += 1
    return steps
