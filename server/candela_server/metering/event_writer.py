"""A writer of events: its number, how much it asks about keys before it takes them, and what it has still to tell.

Keys that nobody had are nearly all that ever comes, and the index says so as they are copied: a look at each of them
before would cost about as much again. Senders who repeat themselves do so for a while; then a look is worth it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from .rollup_layer import RollupLayer
from .store import FlushingWriter

CAREFUL_FLUSHES: Final = 8
"""Flushes that look first after one that met a key it should have looked for. A copy that fails costs about as much
as a look of the same flush, so this many clean ones pay for the wrong guess at either end."""


class Care(IntEnum):
    """How a flush takes its keys, from the cheapest way on; each way fails where only the next one will do."""

    TRUSTING = 1
    """Copies them; fails when somebody has one of them."""

    LOOKING = 2
    """Looks for them and copies those that nobody has; fails when somebody takes one meanwhile."""

    CONTESTED = 3
    """Asks the index about each, and waits for whoever is taking it. Never fails for a key."""


@dataclass(slots=True)
class Writer:
    """One of the writers of a process; how often it has flushed is kept in the database."""

    number: int | None = None
    layer: RollupLayer = field(default_factory=RollupLayer)
    busy: bool = False
    began_s: float = 0.0
    """When its last flush began, on the monotonic clock."""
    _careful_flushes: int = 0
    _telling: asyncio.Task[None] | None = None

    def register(self, number: int | None) -> None:
        """It has a number of its own from now on, or none any more, and begins anew."""
        self.number, self.layer = number, RollupLayer()

    def flushing(self) -> FlushingWriter:
        """Who the next flush is of; it is registered."""
        assert self.number is not None
        return FlushingWriter(self.number, self.layer.change())

    def care(self) -> Care:
        """How the next flush should begin."""
        return Care.LOOKING if self._careful_flushes else Care.TRUSTING

    def take_warning(self) -> None:
        """Somebody sends what is there already."""
        self._careful_flushes = CAREFUL_FLUSHES

    def note_clean(self) -> None:
        """A flush met no key that was taken."""
        self._careful_flushes = max(0, self._careful_flushes - 1)

    async def tell_next(self, telling: Coroutine[Any, Any, None]) -> None:
        """Begins to tell a flush when the one before it is told: so counters hear of flushes in their order.

        The next one is written meanwhile.
        """
        await self.all_told()
        self._telling = asyncio.create_task(telling)

    async def all_told(self) -> None:
        """Returns when every flush is told."""
        if self._telling is not None:
            telling, self._telling = self._telling, None
            await telling
