"""Snapshots that this process remembers; dropped the moment PostgreSQL says that something behind one changed.

The database notifies at commit, so a snapshot outlives a change by the notification's few milliseconds. While the
listener is deaf nothing is remembered at all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from .model import Snapshot

MAX_SNAPSHOTS = 100_000

Key = tuple[str, Hashable]


class SnapshotCache:
    """Least recently used snapshots go first; concurrent misses of one key share one building."""

    def __init__(self) -> None:
        """Begins empty, and deaf until told otherwise."""
        self._snapshots: OrderedDict[Key, Snapshot] = OrderedDict()
        self._building: dict[Key, asyncio.Task[Snapshot]] = {}
        # A building that began before a change must not be kept after it.
        self._generation = 0
        self.listening = False

    def get(self, merchant_id: str, who: Hashable) -> Snapshot | None:
        """The remembered snapshot, whatever its age: the caller compares `valid_until`."""
        return self._snapshots.get((merchant_id, who))

    async def get_or_build(
        self, merchant_id: str, who: Hashable, build: Callable[[], Awaitable[Snapshot]]
    ) -> Snapshot:
        """A fresh snapshot; when several ask at once, one builds for all."""
        key = (merchant_id, who)
        task = self._building.get(key)
        if task is None:
            task = asyncio.create_task(self._build(key, build))
            self._building[key] = task
        # Shielded: a caller who gives up must not take the others' building along.
        return await asyncio.shield(task)

    def forget(self, merchant_id: str, customer_id: str | None) -> None:
        """Drops what is known of one customer, or of all customers of a merchant."""
        self._generation += 1
        self._building.clear()
        gone = [
            key
            for key, snapshot in self._snapshots.items()
            if (key[0] == merchant_id and customer_id in (None, snapshot.customer_id))
            # Nobody's snapshot may be somebody's now.
            or snapshot.customer_id is None
        ]
        for key in gone:
            del self._snapshots[key]

    def forget_all(self) -> None:
        """Drops everything: something may have been missed."""
        self._generation += 1
        self._building.clear()
        self._snapshots.clear()

    async def _build(self, key: Key, build: Callable[[], Awaitable[Snapshot]]) -> Snapshot:
        generation = self._generation
        try:
            snapshot = await build()
        finally:
            if self._building.get(key) is asyncio.current_task():
                del self._building[key]
        if self.listening and generation == self._generation:
            self._snapshots[key] = snapshot
            self._snapshots.move_to_end(key)
            if len(self._snapshots) > MAX_SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return snapshot
