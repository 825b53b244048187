"""Dead letters: events that are kept apart until somebody is known to whom they belong (EVT-11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from candela_server.kernel.errors import NotFound, Reason

from .model import Outcome, Rejection

KEPT_FOR: Final = timedelta(days=30)
"""How long a dead letter is kept, replayed or not. Shorter than the shortest dedupe window (36 days), so that the key
of an event that was sent again and counted is still remembered when its letter is replayed: never counted twice."""

MAX_KEPT: Final = 100_000
"""Dead letters of one merchant, of at most 10 kB each. The oldest replayed ones make room; then events are refused."""

MAX_REPLAY_IDS: Final = 1000
"""Dead letters that one request may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """One dead letter. `event` is the serialized event as it was sent; `error` why it waits, as judged last."""

    id: str
    event: bytes
    error: Rejection
    received_at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """An event about to be kept apart."""

    id: str
    key_hash: bytes
    payload_hash: bytes
    event: bytes
    error: Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedEvent:
    """What became of one dead letter: it counts (ACCEPTED), counted already (DEDUPLICATED), or waits on (HELD)."""

    rejected_event_id: str
    outcome: Outcome
    error: Rejection | None = None


class RejectedEventNotFoundError(NotFound):
    """No dead letter of this merchant has the id; it may have been kept long enough."""

    reason = Reason.EVENT_NOT_FOUND

    def __init__(self, rejected_event_id: str, field: str | None = None) -> None:
        super().__init__(
            f"no rejected event {rejected_event_id}; ListRejectedEvents shows what is kept, for "
            f"{KEPT_FOR.days} days",
            field=field,
            event=rejected_event_id,
        )
