"""What a seat is: one user's hold on one of the units that a subscription pays for (SEAT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from candela_server.catalog.price import ComponentId
from candela_server.customer.model import UserId
from candela_server.kernel.errors import Reason, Refused

from .model import SubscriptionId

SeatId = NewType("SeatId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who holds a seat of which component, since when, and until when if not any more."""

    id: SeatId
    subscription_id: SubscriptionId
    component_id: ComponentId
    user_id: UserId
    assigned_at: datetime
    released_at: datetime | None


class AllSeatsHeldError(Refused):
    """As many users hold seats as are paid for."""

    reason = Reason.LIMIT_REACHED

    def __init__(self, component_name: str, seats: int) -> None:
        super().__init__(
            f"all {seats} seats of {component_name!r} are held; ReleaseSeat frees one, ChangeQuantity adds more",
            feature=component_name,
            remaining=0,
        )


class SeatsInUseError(Refused):
    """More seats are held, or were in the period, than would remain (SEAT-4)."""

    reason = Reason.SEATS_IN_USE

    def __init__(self, component_name: str, seats: int, users: Sequence[UserId]) -> None:
        listed = ", ".join(users)
        super().__init__(
            f"{seats} seats of {component_name!r} are in use, by {listed}; "
            "release seats first, and remove them when the period ends",
            seats=seats,
            users=listed,
        )
