"""What a reservation is, and why one cannot be made or settled (ENT-9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from candela_server.catalog.model import MetricId
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.errors import InvalidInput, NotFound, Reason, Refused
from candela_server.kernel.money import exact, format_decimal

from .model import Answer

ReservationId = NewType("ReservationId", str)

MAX_COUNTED = 10_000
"""The most of a metric that counts events: each unit is an event, and all go in one batch (EVT-1)."""


class ReservationStatus(StrEnum):
    """A reservation's life. COMMITTING is committed, with the usage event still on its way."""

    HELD = "held"
    COMMITTING = "committing"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


class OverageBehavior(StrEnum):
    """What a commit of more than was reserved does at a hard limit."""

    REJECT = "reject"
    CAP = "cap"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A quantity of one customer's allowance that others cannot take.

    `event_key` names the usage event that settles it: the reservation's id, or the caller's own key for what Consume
    takes, which is never held and so has no `expires_at`. `settled_at` is on the customer's clock and the event's own
    instant. `measured_property` is where the event holds the quantity, when the metric does not measure its value.
    `failure` says why the event could not be recorded, if it could not.
    """

    id: ReservationId
    customer_id: CustomerId
    user_id: UserId | None
    feature: str
    metric_id: MetricId
    event_name: str
    event_key: str
    quantity: Decimal
    counts_events: bool
    measured_property: str | None
    status: ReservationStatus
    created_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None = None
    committed_quantity: Decimal | None = None
    properties_json: bytes = b""
    decided_at: datetime | None = None
    failure: Reason | None = None
    failure_message: str = ""

    @property
    def consumed(self) -> bool:
        """Whether it was taken at once instead of held."""
        return self.expires_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What stands against an allowance at one instant, exactly.

    `used` is what the metric measured and what was decided but has no event yet; `held` is reserved by others.
    `recorded` are those of the asked event keys whose events are durable. `past` is how much of it was used in each
    part of the window that is over.
    """

    used: Decimal
    held: Decimal
    recorded: frozenset[str] = frozenset()
    past: tuple[Decimal, ...] = ()

    def using(self, quantity: Decimal) -> Stock:
        """The same after so much more was used."""
        with exact():
            return replace(self, used=self.used + quantity)

    def holding(self, quantity: Decimal) -> Stock:
        """The same after so much more was reserved."""
        with exact():
            return replace(self, held=self.held + quantity)


class ReservationNotFoundError(NotFound):
    """No reservation of this merchant has the id."""

    reason = Reason.RESERVATION_NOT_FOUND

    def __init__(self, reservation_id: str) -> None:
        super().__init__(
            f"no reservation {reservation_id!r}; check the id that Reserve returned",
            reservation_id=reservation_id,
        )


class ReservationSettledError(Refused):
    """The reservation was committed, released or has expired, which is for ever."""

    reason = Reason.RESERVATION_SETTLED

    def __init__(self, reservation_id: str, status: ReservationStatus) -> None:
        shown = ReservationStatus.COMMITTED if status is ReservationStatus.COMMITTING else status
        advice = {
            ReservationStatus.COMMITTED: "its use is recorded already",
            ReservationStatus.RELEASED: "record the use with Consume or RecordEvent, if there was any",
            ReservationStatus.EXPIRED: "record the use with Consume or RecordEvent, and hold longer next time",
        }[shown]
        super().__init__(
            f"reservation {reservation_id} is {shown} and stays so; {advice}",
            reservation_id=reservation_id,
            status=shown,
        )


class LimitReachedError(Refused):
    """Nothing, or too little, is left of what the customer may use."""

    reason = Reason.LIMIT_REACHED

    def __init__(self, answer: Answer, wanted: Decimal) -> None:
        slug = answer.state.slug
        left = (answer.usage.remaining if answer.usage else None) or Decimal(0)
        if answer.state.denial is not None:
            left = Decimal(0)
            message = f"{slug!r} is not granted ({answer.state.denial}); Check says more"
        else:
            message = (
                f"{format_decimal(wanted)} of {slug!r} was asked for and {format_decimal(left)} is left; "
                "ask for less, or raise the limit"
            )
        super().__init__(
            message, feature=slug, remaining=left, denial_reason=answer.denial or "limit_reached"
        )


class CommitOverLimitError(Refused):
    """More was used than was reserved and the limit leaves; the reservation stays held."""

    reason = Reason.LIMIT_REACHED

    def __init__(self, reservation: Reservation, actual: Decimal, room: Decimal) -> None:
        most = max(room, reservation.quantity)
        super().__init__(
            f"{format_decimal(actual)} was used and at most {format_decimal(most)} can be committed; "
            "commit less, or choose overage_behavior CAP or ALLOW",
            feature=reservation.feature,
            remaining=most,
            reservation_id=reservation.id,
        )


class NotReservableError(InvalidInput):
    """The feature is not one whose use adds up, so no part of an allowance can be taken."""

    reason = Reason.FEATURE_TYPE_MISMATCH

    def __init__(self, feature: str, actual: str) -> None:
        super().__init__(
            f"{feature!r} is {actual}; only features whose metric sums or counts events can be reserved or consumed",
            field="feature",
            feature=feature,
            expected="a usage feature that sums or counts",
            actual=actual,
        )


class EventKeyTakenError(Refused):
    """The idempotency key of a Consume names a usage event that was recorded before, by another call."""

    reason = Reason.EVENT_KEY_CONFLICT

    def __init__(self, key: str) -> None:
        super().__init__(
            f"an event with the key {key!r} was recorded before and stands; use a new key",
            field="idempotency_key",
            idempotency_key=key,
        )


class UseNotRecordedError(Refused):
    """The use was decided, but its event was refused for good; what was taken has been given back."""

    def __init__(self, reservation: Reservation) -> None:
        assert reservation.failure is not None, "raised for failures only"
        self.reason = reservation.failure
        super().__init__(
            f"the use could not be recorded: {reservation.failure_message}; nothing was taken",
            reservation_id=reservation.id,
        )
