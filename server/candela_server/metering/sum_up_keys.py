"""Makes the filters of months that are over, from which no key is taken any more (EVT-2); the worker's."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import structlog

from candela_server.storage.events import EventStore

from . import key_filter_store
from .rules.dedupe import is_closed
from .rules.key_filter import KEY_BYTES, KeyFilter

_KEYS_OF_PAGE: Final = 120
"""At most: each is a row of 60 bytes, and what PostgreSQL keeps beside it."""

_STEP_PAGES: Final = 1_000

log = structlog.get_logger()


async def sum_up_keys(events: EventStore, now: datetime) -> list[date]:
    """Answers the months that have a filter from now on. A second per three million keys; harmless twice."""
    async with events.reader() as connection:
        months = await key_filter_store.list_key_months(connection)
        filtered = await key_filter_store.list_filtered_months(connection)
    made = []
    for month, pages in months:
        if month in filtered or not is_closed(month, now):
            continue
        key_filter, key_count = await _sum_up(events, month, pages)
        async with events.writer() as connection:
            await key_filter_store.insert_filter(
                connection, month, key_count=key_count, blocks=key_filter.to_bytes(), now=now
            )
        log.info("event_keys_summed_up", month=str(month), keys=key_count)
        made.append(month)
    return made


async def _sum_up(events: EventStore, month: date, pages: int) -> tuple[KeyFilter, int]:
    """Reads in pieces, each in a transaction of its own: nothing is written in this month any more."""
    key_filter, key_count = KeyFilter.for_keys(pages * _KEYS_OF_PAGE), 0
    for first_page in range(0, pages, _STEP_PAGES):
        async with events.reader() as connection:
            keys = await key_filter_store.read_keys(connection, month, first_page, _STEP_PAGES)
        key_filter.add(keys)
        key_count += len(keys) // KEY_BYTES
    return key_filter, key_count
