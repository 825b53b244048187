"""Events that are ready for the database, and those of their batch that are not (EVT-3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from .model import Rejection
from .rules.event_value import Properties


class PreparedEvent(NamedTuple):
    """An event that only its key can still refuse."""

    key_hash: bytes
    payload_hash: int
    row: bytes
    customer_id: str
    user_id: str
    name: str
    happened_us: int
    value: Decimal
    properties: Properties


@dataclass(slots=True)
class Prepared:
    """A batch after preparation: one event or rejection per index, and what was read of the time.

    `nobody` are the rejected events whose customer or user is unknown, which a merchant may want kept (EVT-11).
    """

    events: list[PreparedEvent | None]
    rejections: list[Rejection]
    now_us: int
    nobody: list[int]

    def take(self, index: int) -> PreparedEvent:
        """Takes an event out, which then is not counted."""
        event = self.events[index]
        assert event is not None, "only what is in can be taken out"
        self.events[index] = None
        return event
