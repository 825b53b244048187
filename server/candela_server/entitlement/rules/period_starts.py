"""Since when credits that have ended matter to a customer still: for what the running periods used in their time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .holding import Holding


def earliest_start(holdings: Iterable[Holding], now: datetime) -> datetime:
    """The beginning of the longest of the periods that run; `now` where none does."""
    return min(
        (
            component.recurrence_in(one.subscription.time_zone)
            .period_containing(one.subscription.anchor_at, now)
            .start_at
            for one in holdings
            for component in one.offer.price.components
        ),
        default=now,
    )
