"""Which users hold the seats of a subscription, and when they held them (SEAT-4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class Holding:
    """A seat that a user holds, or held until an instant."""

    user: int
    since: datetime
    until: datetime | None = None


@dataclass(slots=True)
class Holders:
    """All of them."""

    holdings: list[Holding] = field(default_factory=list)

    def assign(self, user: int, paid_for: int, at: datetime) -> bool:
        """Gives a user a seat, if one is free; who holds one keeps it."""
        held = [one for one in self.holdings if one.until is None]
        if any(one.user == user for one in held):
            return True
        if len(held) >= paid_for:
            return False
        self.holdings.append(Holding(user=user, since=at))
        return True

    def release(self, at: datetime, user: int | None = None) -> None:
        """Takes a user's seat back; everybody's where none is named."""
        for one in self.holdings:
            if one.until is None and user in (None, one.user):
                one.until = at

    def in_use(self, since: datetime) -> int:
        """The most seats that were held at once since an instant: one that passes to another user counts once."""
        found = [one for one in self.holdings if one.until is None or one.until > since]
        return max(
            (
                sum(
                    other.since <= one.since and (other.until is None or one.since < other.until)
                    for other in found
                )
                for one in found
            ),
            default=0,
        )
