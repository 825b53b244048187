"""What metering does while nobody waits. Plain functions; the worker gives each a timetable."""

from __future__ import annotations

from datetime import timedelta

import structlog

from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import rejected_event_store, store
from .fill_history import fill_history
from .read_counters import Counters
from .rejected_event import KEPT_FOR
from .rules.dedupe import DEFAULT_WINDOW, claim_months, months_ahead

log = structlog.get_logger()


async def prepare_partitions(events: EventStore, clock: Clock) -> None:
    """Makes the partitions of the next months before they are needed; daily. Harmless twice."""
    now = clock.now()
    async with events.writer() as connection:
        await store.prepare_event_keys(connection, months_ahead(now))
        await store.prepare_events(
            connection, [now - timedelta(days=31), now, now + timedelta(days=31)]
        )


async def drop_old_keys(
    events: EventStore, clock: Clock, window: timedelta = DEFAULT_WINDOW
) -> int:
    """Drops keys that no repetition is compared with any more; daily. Answers how many months went (EVT-2)."""
    async with events.writer() as connection:
        return await store.drop_event_keys(connection, claim_months(clock.now(), window).oldest)


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


async def delete_old_letters(db: Postgres, clock: Clock) -> int:
    """Deletes the events that were kept apart for long enough; hourly. Answers how many (EVT-11)."""
    async with db.system() as tx:
        return await rejected_event_store.delete_letters_before(tx, clock.now() - KEPT_FOR)


async def fill_metrics(db: Postgres, events: EventStore, counters: Counters, clock: Clock) -> int:
    """Reads history into metrics that no event has reached since they were made; each minute (EVT-10)."""
    async with db.system() as tx:
        merchants = await merchant.list_merchants(tx)
    filled = 0
    for one in merchants:
        filled += await fill_history(db, events, counters, clock, one.id)
    return filled
