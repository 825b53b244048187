"""Keys that somebody has taken already, as the database answers with them, and what that says of a flush (EVT-2).

Data plane, within the budget of write_events.py: nearly all of what a replay costs besides reading it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import add
from struct import Struct
from typing import Final

from .prepared_event import PreparedEvent, key_hash_of, payload_hash_of

_PARTS: Final = Struct("16s8s")
_WHOLE: Final = Struct("24s")


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """Each key's hash and the hash of the payload that stands under it, one after the other."""

    content: bytes

    def payloads(self) -> dict[bytes, bytes]:
        """What stands under each key."""
        return dict(_PARTS.iter_unpack(self.content))

    def hold(self, flush: Iterable[Sequence[PreparedEvent]]) -> bool:
        """Whether every event stands already as it was sent now: so it is with most that is sent again, and told
        without a line of Python for each."""
        standing = set(chain.from_iterable(_WHOLE.iter_unpack(self.content)))
        return all(
            standing.issuperset(map(add, map(key_hash_of, events), map(payload_hash_of, events)))
            for events in flush
        )
