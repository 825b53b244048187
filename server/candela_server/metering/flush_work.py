"""What one flush is to store, and which of it counts once the keys are decided (EVT-2, EVT-7)."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime

from .bumps import NO_BUMPS, Bumps
from .claim_events import First
from .event_lanes import Batch
from .prepared_event import PreparedEvent
from .rules.folding import Folded, fold
from .rules.metric_reading import Readings
from .store import Begun, FlushingWriter


@dataclass(frozen=True, slots=True)
class Work:
    """Batches of events for one transaction, and the metrics by which they are folded."""

    writer: FlushingWriter
    batches: Sequence[Batch]
    parts: list[tuple[date, First]]
    """The first event of each key, by the first month that keys are remembered from."""
    months: Sequence[date]
    """In which the keys are claimed."""
    readings: dict[str, Readings]
    """By merchant."""
    versions: dict[str, int]
    """Of these metrics, by merchant."""
    now: datetime

    @property
    def size(self) -> int:
        """How many events came."""
        return sum(len(batch.events) for batch in self.batches)

    def by_key(self) -> First:
        """The first event of every key."""
        return {key: event for _, part in self.parts for key, event in part.items()}

    def survivors(self, won: Set[bytes]) -> dict[str, list[PreparedEvent]]:
        """The events that count, by merchant and as they came: nearly by time, so that indexes grow at their ends."""
        survivors: dict[str, list[PreparedEvent]] = {}
        everything = all_won(self.batches, won)
        first = {} if everything else self.by_key()
        for batch in self.batches:
            survivors.setdefault(batch.merchant_id, []).extend(
                batch.events
                if everything
                else [
                    event
                    for event in batch.events
                    if event.key_hash in won and first[event.key_hash] is event
                ]
            )
        return {merchant_id: events for merchant_id, events in survivors.items() if events}

    def fold(self, survivors: dict[str, list[PreparedEvent]]) -> dict[str, Folded]:
        """What they add up to, by merchant and in the order of merchants."""
        return {
            merchant_id: fold(survivors[merchant_id], self.readings[merchant_id])
            for merchant_id in sorted(survivors)
        }

    def flushed(
        self,
        begun: Begun | None,
        won: set[bytes],
        standing: dict[bytes, bytes],
        folded: dict[str, Folded],
    ) -> Flushed:
        """What there is to tell; `begun` is None when nothing was stored, `standing` are payloads under keys that were
        taken before."""
        met_known_keys = bool(standing)
        if won and not all_won(self.batches, won):
            first = self.by_key()
            standing = standing | {key: first[key].payload_hash for key in won}
        return Flushed(begun, won, standing, Bumps(folded, self.readings), met_known_keys)

    def sent_before(self) -> Flushed:
        """What there is to tell when all of it stands already, as it was sent."""
        return Flushed(None, set(), {}, NO_BUMPS, met_known_keys=True, all_repeated=True)


@dataclass(slots=True)
class Flushed:
    """What a flush decided and still has to tell; where all events were won or all repeated, no payloads."""

    begun: Begun | None
    """What it knew of its writer; None when it had nothing to store, and so does not count."""
    won: set[bytes]
    stored_payloads: dict[bytes, bytes]
    bumps: Bumps
    met_known_keys: bool
    """Whether somebody had sent some of it before."""
    all_repeated: bool = False
    """Whether all of it stands already, as it was sent."""


def all_won(batches: Sequence[Batch], won: Set[bytes]) -> bool:
    """Whether each event counts: then no two have the same key, and nobody had one before."""
    return len(won) == sum(len(batch.events) for batch in batches)
