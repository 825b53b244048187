"""Which keys of a flush must be looked for in the months before this one: hardly any (EVT-2).

Data plane. The worker sums up the keys of months that are over (sum_up_keys.py); what a process has read of that says
of nearly every key that nobody took it then. Where it knows nothing yet, it asks the database for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

import structlog

from candela_server.storage.events import Connection, EventStore

from . import key_filter_store
from .rules.dedupe import next_month
from .rules.key_filter import KeyFilter
from .store import KeySearch

_LEARN_EVERY_S: Final = 60.0
"""How often it is asked whether the worker has summed up one more month, while one is missing."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the months from `oldest` on, before `before`. All others of them hold no keys."""

    oldest: date
    before: date
    summed_up: frozenset[date]
    not_summed_up: frozenset[date]
    key_filter: KeyFilter | None


class OldKeys:
    """What one process knows. `start` before use, `stop` at the end."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._known: _Known | None = None
        self._wanted: tuple[date, date] | None = None
        self._asked = asyncio.Event()
        self._learning: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to learn what flushes ask for."""
        self._learning = asyncio.create_task(self._learn_forever())

    async def stop(self) -> None:
        """Ends that."""
        if self._learning is not None:
            self._learning.cancel()
            with suppress(asyncio.CancelledError):
                await self._learning

    def searches(self, keys: Sequence[bytes], oldest: date, before: date) -> list[KeySearch]:
        """What to look for in the months from `oldest` on, before the month in which these keys are claimed now."""
        known = self._known
        if known is None or oldest < known.oldest or known.before < before:
            self._ask(oldest, before)
            return [KeySearch(keys, oldest, before)]
        searches = []
        if known.not_summed_up:
            self._asked.set()
            searches = [
                KeySearch(keys, month, next_month(month))
                for month in known.not_summed_up
                if oldest <= month < before
            ]
        if known.key_filter is not None:
            suspects = known.key_filter.suspects(keys)
            if suspects:
                searches.append(KeySearch(suspects, oldest, before))
        return searches

    def _ask(self, oldest: date, before: date) -> None:
        if self._wanted is not None:
            oldest, before = min(oldest, self._wanted[0]), max(before, self._wanted[1])
        self._wanted = oldest, before
        self._asked.set()

    async def _learn_forever(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.learn()
            except Exception:  # who knows nothing asks the database, and must try again
                log.warning("old_keys_not_read", exc_info=True)
            await asyncio.sleep(_LEARN_EVERY_S)

    async def learn(self) -> None:
        """Reads what flushes have asked for so far."""
        if self._wanted is None:
            return
        oldest, before = self._wanted
        async with self._events.reader() as connection:
            filtered = await key_filter_store.list_filtered_months(connection)
            months = {
                month
                for month, _ in await key_filter_store.list_key_months(connection)
                if oldest <= month < before
            }
            summed_up = frozenset(months & filtered)
            known = self._known
            if known is not None and known.summed_up == summed_up:
                key_filter = known.key_filter
            else:
                key_filter = await _join(connection, sorted(summed_up))
        self._known = _Known(oldest, before, summed_up, frozenset(months - filtered), key_filter)


async def _join(connection: Connection, months: list[date]) -> KeyFilter | None:
    """One filter of all these months: so a key is tried once."""
    joined: KeyFilter | None = None
    for month in months:
        blocks = await key_filter_store.get_blocks(connection, month)
        one = await asyncio.to_thread(KeyFilter, blocks)
        joined = one if joined is None else await asyncio.to_thread(joined.joined, one)
    return joined
