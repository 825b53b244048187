"""Since when credits that have ended matter to a customer still: for what was used in their time and counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .holding import Holding


def earliest_start(holdings: Iterable[Holding], now: datetime) -> datetime:
    """The beginning of the longest of the periods that run, or of what waits to be billed; `now` where none is."""
    return min(
        (
            *(
                component.recurrence_in(one.subscription.time_zone)
                .period_containing(one.subscription.anchor_at, now)
                .start_at
                for one in holdings
                for component in one.offer.price.components
            ),
            *(waiting.part.start_at for one in holdings for waiting in one.waiting),
        ),
        default=now,
    )
