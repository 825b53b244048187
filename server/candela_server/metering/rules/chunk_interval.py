"""How long chunks of events should be: as long as the indexes of the one that is written fit in memory (EVT-8).

Events are put into two indexes in no order, so a chunk whose indexes are larger than what PostgreSQL keeps in memory
makes every event read pages from the disk. Chunks that are shorter than they need be cost planning instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

STEPS: Final = tuple(
    timedelta(hours=hours) for hours in (6, 12, 24, 2 * 24, 4 * 24, 7 * 24, 14 * 24, 28 * 24)
)
"""The lengths there are. Shorter ones would be thousands in a year, and longer ones keep a month too long."""

MEMORY_SHARE: Final = 4
"""The indexes of a chunk may take one part in so many of the memory for files and buffers: the chunk before, its own
rows, rollups and keys need the rest."""

LOOK_BACK: Final = timedelta(days=30)
"""A rate of longer ago says nothing about the next chunk."""

_LEAST_SEEN: Final = timedelta(hours=1)
_GROWTH_MARGIN: Final = Fraction(3, 2)
"""Chunks grow longer only where there is room to spare, so that a rate near a border does not move them to and fro."""

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk: from when to when its events lie, and the bytes of its indexes."""

    start_at: datetime
    end_at: datetime
    index_bytes: int


def fitting_interval(
    present: timedelta, chunks: Sequence[Chunk], cache_bytes: int, now: datetime
) -> timedelta:
    """How long the next chunks should be: `present` where nothing speaks for another length.

    The fastest of the recent chunks counts. One that is being filled counts for as much of it as is over; one from
    whose start less than an hour has passed says nothing yet.
    """
    rates = [
        Fraction(one.index_bytes, (min(one.end_at, now) - one.start_at) // _SECOND)
        for one in chunks
        if one.end_at > now - LOOK_BACK and now - one.start_at >= _LEAST_SEEN
    ]
    rate = max(rates, default=None)
    if not rate:
        return present
    fits_s = Fraction(cache_bytes, MEMORY_SHARE) / rate
    longest = max((step for step in STEPS if step // _SECOND <= fits_s), default=STEPS[0])
    if longest <= present:
        return longest
    roomy = max(
        (step for step in STEPS if step // _SECOND * _GROWTH_MARGIN <= fits_s), default=STEPS[0]
    )
    whole = len([one for one in chunks if one.end_at <= now])
    # One step at a time, and not before a whole chunk has been seen at the present length.
    longer = min((step for step in STEPS if step > present), default=present)
    return longer if whole and longer <= roomy else present
