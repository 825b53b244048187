"""The events of a call on their way: divided among the writers by customer, and joined again in the answer (EVT-3).

Each writer stores the events of its own customers. So no two of them add to the same rows of rollups, for which the one
would wait until the other has committed; and a flush touches the rows of half the customers, for the same number of
events. Nothing rests on it: a writer that finds another one far behind takes events from there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .model import Recorded
from .prepared_event import PreparedEvent, key_hash_of

WORTH_DIVIDING: Final = 50
"""Events of a call below which one transaction costs less than two."""


@dataclass(slots=True)
class Call:
    """What a caller waits for: all parts of what it sent."""

    recorded: Recorded
    done: asyncio.Future[Recorded]
    open_parts: int = 0

    def end_part(self) -> None:
        """One part more is told; with the last one the caller is answered."""
        self.open_parts -= 1
        if self.open_parts == 0 and not self.done.done():
            self.recorded.rejections.sort(key=lambda rejection: rejection.index)
            self.done.set_result(self.recorded)

    def fail(self, error: Exception) -> None:
        """The caller is told that not all is stored; what is, is found to be there when it is sent again."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True)
class Batch:
    """What one writer stores of a call: the events, and their places in it."""

    merchant_id: str
    events: list[PreparedEvent]
    indexes: list[int]
    call: Call


@dataclass(slots=True)
class Lane:
    """What waits for one writer."""

    waiting: deque[Batch] = field(default_factory=deque)
    events: int = 0
    work: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, batch: Batch) -> None:
        """Puts a batch at the end."""
        self.waiting.append(batch)
        self.events += len(batch.events)
        self.work.set()

    def take(self, most: int) -> list[Batch]:
        """The first batches, of so many events at most unless the first alone has more."""
        batches: list[Batch] = []
        size = 0
        while self.waiting and (not batches or size + len(self.waiting[0].events) <= most):
            batch = self.waiting.popleft()
            size += len(batch.events)
            batches.append(batch)
        self.events -= size
        return batches


def divide(events: Sequence[PreparedEvent], lanes: int) -> dict[int, list[int]]:
    """By lane, the places of the events that it stores.

    Undivided where that is worth more, and where a key comes twice: then the first event of it stands.
    """
    if (
        lanes == 1
        or len(events) < WORTH_DIVIDING
        or len(set(map(key_hash_of, events))) < len(events)
    ):
        return {hash(events[0].customer_id) % lanes: list(range(len(events)))}
    parts: dict[int, list[int]] = {}
    for place, event in enumerate(events):
        parts.setdefault(hash(event.customer_id) % lanes, []).append(place)
    return parts
