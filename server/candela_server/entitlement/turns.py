"""Who decides about an allowance next, among the callers of this process.

PostgreSQL's lock is what makes decisions single; this only keeps those who would wait for it from each holding a
connection meanwhile, so that one busy customer leaves connections to the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """One queue per key, in order of arrival; a queue without anybody is forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, key: Hashable) -> AsyncIterator[None]:
        """The block runs alone among those with the same key."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
