"""Events that are ready for the database, and those of their batch that are not (EVT-3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from .model import Rejection
from .rules.event_value import Properties

Pieces: TypeAlias = tuple[
    bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes
]
"""A row of COPY in the order of its fields: their count and the merchant, customer, user, name, value, instant, length
of the key's hash, the hash, length of the key as it was sent, that key, properties, and when it was received.

Where a length stands by itself, what follows is its content; all others are whole fields.
"""


class PreparedEvent(NamedTuple):
    """An event that only its key can still refuse."""

    key_hash: bytes
    payload_hash: bytes
    """Eight bytes, which the database holds as a bigint."""
    row: bytes | Pieces
    """As COPY takes it. In pieces while a small flush is likely to take it, which needs it so; joining them later, when
    they are in the processor's caches no more, costs a large flush more than all else that it does with them."""
    customer_id: str
    user_id: str
    name: str
    happened_us: int
    value: Decimal
    properties: Properties


key_hash_of: Final = attrgetter("key_hash")
"""For `map`, which reads it of very many events without a line of Python for each."""

payload_hash_of: Final = attrgetter("payload_hash")
"""As `key_hash_of`."""


def joined(row: bytes | Pieces) -> bytes:
    """A row of COPY."""
    return row if isinstance(row, bytes) else b"".join(row)


def in_pieces(row: bytes | Pieces) -> Pieces:
    """A row that was left in pieces."""
    assert not isinstance(row, bytes), "a joined row is copied"
    return row


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
