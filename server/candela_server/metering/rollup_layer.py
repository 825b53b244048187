"""Which layer of the rollups a writer adds to (EVT-3).

An update leaves the old version of its row behind, to be removed by one of the next, unless somebody's snapshot still
sees it. While a long transaction runs (a backup, a report) nothing is removed, and each update of a rollup goes through
all the versions that piled up under its key. So a writer begins rows anew then, every few flushes: a rollup is the sum
of its layers.

The sign is the writer's own row, which each of its flushes updates as well. It leaves its page when that is full of
versions that have to stay; and it takes a lower place on its page when some were removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

LAYER_FLUSHES: Final = 8
"""Flushes that add to a layer while old versions have to stay: more make each of them dearer, fewer leave more rows to
be merged."""


class Place(NamedTuple):
    """Where a version of a row is."""

    page: int
    slot: int


class LayerChange(NamedTuple):
    """The layer that the last flush added to, and that of the next one."""

    before: int
    after: int


@dataclass(slots=True)
class RollupLayer:
    """What one writer has seen; a new one begins in the lowest layer."""

    _now: int = 0
    _next: int = 0
    _place: Place | None = None
    _old_stay: bool = False
    _flushes: int = 0

    def change(self) -> LayerChange:
        """From which layer to which the next flush goes; mostly it stays."""
        return LayerChange(self._now, self._next)

    def note(self, place: Place) -> None:
        """A flush is committed that went as `change` said, and put the writer's row there."""
        self._flushes = self._flushes + 1 if self._now == self._next else 1
        self._now = self._next
        if self._place is not None and place.page != self._place.page:
            self._old_stay = True
        elif self._place is not None and place.slot < self._place.slot:
            self._old_stay = False
        self._place = place
        if not self._old_stay:
            self._next = 0
        elif self._flushes >= LAYER_FLUSHES:
            self._next = self._now + 1
