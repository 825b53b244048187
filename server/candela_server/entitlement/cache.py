"""Snapshots that this process remembers; dropped the moment PostgreSQL says that something behind one changed.

A remembered snapshot is served while this process is sure to have heard of every change (storage/changes.py). While
it is not, every question goes to the database; a snapshot of before is kept for the case that the database cannot
answer either, and is then served as stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .model import Snapshot, Value
from .rules.switched import after_defaults, after_switches

MAX_SNAPSHOTS: Final = 200_000

Key = tuple[str, Any]
"""A merchant, and who is meant."""

Build = Callable[[Callable[[], None]], Awaitable[Snapshot]]
"""Builds a snapshot; calls what it gets right before it begins to read the database."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """In whose place somebody's next snapshot is remembered until its time has come."""

    who: Hashable


class _Building:
    """A snapshot on its way.

    `begun` says whether it may already have read the database, and `heard` whose changes were heard of since then, in
    order; None stands for everybody's. `sure` says whether every change before that had been heard of, and `grown` how
    often the merchant's catalog had grown.
    """

    __slots__ = ("begun", "grown", "heard", "merchant_id", "sure", "task")

    def __init__(self, merchant_id: str) -> None:
        self.merchant_id = merchant_id
        self.begun = self.sure = False
        self.grown = 0
        self.heard: list[str | None] = []
        self.task: asyncio.Task[Snapshot]


class SnapshotCache:
    """Remembered snapshots, the oldest of which go first; concurrent misses of one key share one building."""

    def __init__(
        self,
        is_current: Callable[[], bool],
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Begins empty. `is_current` says whether every change that was answered has been heard.

        `catch_up` waits until every change that was committed has been, for callers who have seen one elsewhere.
        """
        self.is_current = is_current
        self._catch_up = catch_up
        self._snapshots: dict[Key, Snapshot] = {}
        # Mostly one key, rarely several: a customer is asked about by id, by external id, by each user.
        self._keys_of: dict[str, tuple[Key, ...]] = {}
        self._nobodies: dict[str, set[Key]] = {}
        self._building: dict[Key, _Building] = {}
        # Those that have begun: no more than are read at a time. Only they can have missed a change.
        self._begun: set[_Building] = set()
        self._grown: dict[str, int] = {}
        # Of each merchant, how each feature was switched last that was switched at all while this process listened.
        self._switches: dict[str, dict[str, bool]] = {}
        # Likewise the features' defaults, of those that changed since everybody's were forgotten last.
        self._defaults: dict[str, dict[str, Value]] = {}

    def __len__(self) -> int:
        """How many snapshots are remembered."""
        return len(self._snapshots)

    def get(self, merchant_id: str, who: Hashable, slug: str | None = None) -> Snapshot | None:
        """The remembered snapshot if nothing has changed since; the caller compares `valid_until`.

        For a `slug` it may be one that lacks other features, which were created since.
        """
        snapshot = self.last_known(merchant_id, who)
        if snapshot is None or not snapshot.alive or not self.is_current():
            return None
        if slug not in snapshot.features and self.is_outgrown(merchant_id, snapshot):
            return None
        return snapshot

    def is_outgrown(self, merchant_id: str, snapshot: Snapshot) -> bool:
        """Whether features were created since, which the snapshot may lack."""
        return snapshot.grown != self._grown.get(merchant_id, 0)

    async def catch_up(self) -> None:
        """Returns when no remembered snapshot is served any more that lacks something committed before the call."""
        if self._catch_up is not None:
            await self._catch_up()

    def last_known(self, merchant_id: str, who: Hashable) -> Snapshot | None:
        """The remembered snapshot, which something may have changed since."""
        key = (merchant_id, who)
        snapshot = self._snapshots.get(key)
        if snapshot is not None and snapshot.overtaken:
            # Only now: many may be remembered, and few asked for.
            defaults = self._defaults.get(merchant_id, {})
            patched = after_defaults(snapshot, defaults)
            if patched is None:
                self._evict(key)
                return None
            snapshot = after_switches(patched, self._switches.get(merchant_id, {}), defaults)
            snapshot.alive, snapshot.overtaken = True, False
            self._snapshots[key] = snapshot
        return snapshot

    def follow(self, merchant_id: str, who: Hashable, now: datetime) -> Snapshot | None:
        """What was built ahead for `now`, in force from here on; None when nothing was, or something has changed."""
        ahead = (merchant_id, Ahead(who))
        found = self.get(*ahead)
        if found is None or not found.is_valid_at(now):
            return None
        self._evict(ahead)
        self._keep((merchant_id, who), found)
        found.alive = True
        return found

    def all_now(self) -> list[tuple[Key, Snapshot]]:
        """All that is remembered, of whatever time."""
        return list(self._snapshots.items())

    async def build(self, merchant_id: str, who: Hashable, build: Build) -> Snapshot:
        """A fresh snapshot; when several ask at once, one builds for all."""
        key = (merchant_id, who)
        while True:
            building = self._building.get(key)
            # What has begun may lack a change that was answered since, unless we would have heard of that.
            if building is None or (building.begun and not self._is_as_good_as_new(building)):
                if building is not None:
                    building.heard.append(None)
                building = self._building[key] = _Building(merchant_id)
                building.task = asyncio.create_task(self._build(key, building, build))
                building.task.add_done_callback(_look_at)
            heard_before = len(building.heard)
            # Shielded: a caller who gives up must not take the others' building along.
            snapshot = await asyncio.shield(building.task)
            if not _concern(building.heard[:heard_before], snapshot):
                return snapshot

    def forget(self, merchant_id: str, customer_id: str | None) -> None:
        """Drops what is known of one customer, or of all customers of a merchant."""
        for building in self._begun:
            if building.merchant_id == merchant_id:
                building.heard.append(customer_id)
        # Nobody may be somebody now.
        for key in self._nobodies.pop(merchant_id, ()):
            self._drop(key)
        if customer_id is not None:
            for key in self._keys_of.pop(customer_id, ()):
                self._drop(key)
            return
        self._defaults.pop(merchant_id, None)
        for key in [key for key in self._snapshots if key[0] == merchant_id]:
            self._evict(key)

    def grow(self, merchant_id: str) -> None:
        """Something new is in a merchant's catalog: what is remembered is right, and lacks that only."""
        self._grown[merchant_id] = self._grown.get(merchant_id, 0) + 1

    def switch(self, merchant_id: str, slug: str, on: bool) -> None:
        """A feature was switched on or off for everybody: what is remembered is right but for that."""
        self._switches.setdefault(merchant_id, {})[slug] = on
        self._overtake(merchant_id)

    def set_default(self, merchant_id: str, slug: str, default: Value) -> None:
        """A feature has another default for everybody: what is remembered is right but for that."""
        self._defaults.setdefault(merchant_id, {})[slug] = default
        self._overtake(merchant_id)

    def _overtake(self, merchant_id: str) -> None:
        """Has all of a merchant's taken in what has changed; what is being read may be from before it, and is read
        again."""
        for building in self._begun:
            if building.merchant_id == merchant_id:
                building.heard.append(None)
        for key, snapshot in [one for one in self._snapshots.items() if one[0][0] == merchant_id]:
            if snapshot.alive:
                snapshot.alive, snapshot.overtaken = False, True
            elif not snapshot.overtaken:
                # Kept for want of a better one, and worse than none now.
                self._evict(key)

    def doubt_all(self) -> None:
        """Something may have been missed: what is remembered serves only as long as nothing better can be had."""
        for building in self._begun:
            building.heard.append(None)
        for key, snapshot in list(self._snapshots.items()):
            if snapshot.overtaken:
                # As every change that was heard of; what was switched since is not known.
                self._evict(key)
            snapshot.alive = False
        self._switches.clear()
        self._defaults.clear()

    def _is_as_good_as_new(self, building: _Building) -> bool:
        return self.is_current() and building.grown == self._grown.get(building.merchant_id, 0)

    async def _build(self, key: Key, building: _Building, build: Build) -> Snapshot:
        def begin() -> None:
            building.begun = True
            building.sure = self.is_current()
            building.grown = self._grown.get(building.merchant_id, 0)
            self._begun.add(building)

        try:
            snapshot = await build(begin)
        finally:
            self._begun.discard(building)
            if self._building.get(key) is building:
                del self._building[key]
        if not _concern(building.heard, snapshot):
            self._keep(key, snapshot)
            snapshot.alive, snapshot.grown = building.sure, building.grown
        return snapshot

    def _keep(self, key: Key, snapshot: Snapshot) -> None:
        self._drop(key)
        self._snapshots[key] = snapshot
        if snapshot.customer_id is None:
            self._nobodies.setdefault(key[0], set()).add(key)
        else:
            keys = self._keys_of.get(snapshot.customer_id, ())
            if key not in keys:
                self._keys_of[snapshot.customer_id] = (*keys, key)
        if len(self._snapshots) > MAX_SNAPSHOTS:
            self._evict(next(iter(self._snapshots)))

    def _evict(self, key: Key) -> None:
        holder = self._snapshots[key].customer_id
        self._drop(key)
        if holder is None:
            self._nobodies[key[0]].discard(key)
        elif remaining := tuple(one for one in self._keys_of[holder] if one != key):
            self._keys_of[holder] = remaining
        else:
            del self._keys_of[holder]

    def _drop(self, key: Key) -> None:
        snapshot = self._snapshots.pop(key, None)
        if snapshot is not None:
            snapshot.alive = False


def _concern(changed: Sequence[str | None], snapshot: Snapshot) -> bool:
    """Whether one of the changes may have made the snapshot wrong; nobody may be anybody afterwards."""
    return bool(changed) and (
        snapshot.customer_id is None or snapshot.customer_id in changed or None in changed
    )


def _look_at(task: asyncio.Task[Snapshot]) -> None:
    """So that a failure of which nobody waits to hear any more is no unhandled one."""
    if not task.cancelled():
        task.exception()
