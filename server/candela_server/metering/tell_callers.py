"""What a committed flush means for each of its callers: accepted, deduplicated, or refused for another payload (EVT-2).

Data plane, within the budget of write_events.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.kernel.errors import Reason

from .event_lanes import Batch
from .flush_work import Flushed, all_won
from .model import Outcome, Rejection


def tell(batches: Sequence[Batch], flushed: Flushed) -> None:
    """Answers every caller."""
    everything = all_won(batches, flushed.won)
    unclaimed = set(flushed.won)
    for batch in batches:
        if everything:
            _conclude(batch, Outcome.ACCEPTED)
        elif flushed.all_repeated:
            _conclude(batch, Outcome.DEDUPLICATED)
        else:
            _compare(batch, unclaimed, flushed.stored_payloads)
        batch.call.end_part()


def _conclude(batch: Batch, outcome: Outcome) -> None:
    outcomes = batch.call.recorded.outcomes
    for index in batch.indexes:
        outcomes[index] = outcome


def _compare(batch: Batch, unclaimed: set[bytes], payloads: dict[bytes, bytes]) -> None:
    """Says what became of each: the first of a won key was accepted, all others are compared with what stands."""
    outcomes, rejections = batch.call.recorded.outcomes, batch.call.recorded.rejections
    for index, event in zip(batch.indexes, batch.events, strict=True):
        key = event.key_hash
        if key in unclaimed:
            unclaimed.discard(key)
            outcomes[index] = Outcome.ACCEPTED
        elif payloads.get(key) == event.payload_hash:
            outcomes[index] = Outcome.DEDUPLICATED
        else:
            rejections.append(
                Rejection(
                    index,
                    Reason.EVENT_KEY_CONFLICT,
                    "idempotency_key",
                    "the key was used with another payload and the first one stands; use a new key",
                )
            )
