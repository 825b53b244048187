"""Sends dead letters through ingestion again; what can be counted now is counted, once (EVT-11).

The counting is not in this transaction but in a flush of the group commit, like that of any event. What makes it exact
is the event's own key: when this transaction is lost after the flush, the letters still wait, and the next replay finds
their keys taken and notes that they count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import rejected_event_store as store
from .ingest_events import Ingestor
from .model import Outcome
from .rejected_event import RejectedEvent, RejectedEventNotFoundError, ReplayedEvent
from .rules.bucket import to_microseconds

MAX_RESULTS: Final = 1000
"""Results of one answer; of a replay of all, those that keep waiting are the ones that somebody must look at."""

MAX_REPLAYED: Final = 10_000
"""Dead letters of one call: seconds of work, so that it ends within any deadline and what it did is kept."""

_SLICE: Final = 1000
"""Dead letters that are replayed at a time: what is in memory of them at once."""


@dataclass(slots=True)
class Replayed:
    """What became of the dead letters of one replay."""

    accepted: int = 0
    deduplicated: int = 0
    held: int = 0
    results: list[ReplayedEvent] = field(default_factory=list)
    last_id: str | None = None
    """The last letter that was gone through, when there may be more."""


async def replay_rejected_events(
    tx: Tx,
    ingestor: Ingestor,
    clock: Clock,
    read_event: Callable[[bytes], Any],
    ids: Sequence[str],
    after_id: str | None = None,
) -> Replayed:
    """Replays the named dead letters, or when none is named those that wait, from behind `after_id` on.

    Raises RejectedEventNotFoundError.
    """
    if ids:
        replayed = await _replay_named(tx, ingestor, clock, read_event, ids)
    else:
        replayed = await _replay_waiting(tx, ingestor, clock, read_event, after_id)
    await tx.audit(
        "rejected_events.replayed",
        tx.merchant_id,
        after={
            "rejected_event_ids": list(ids),
            "after_rejected_event_id": after_id,
            "accepted_count": replayed.accepted,
            "deduplicated_count": replayed.deduplicated,
            "held_count": replayed.held,
        },
    )
    return replayed


async def _replay_named(
    tx: Tx,
    ingestor: Ingestor,
    clock: Clock,
    read_event: Callable[[bytes], Any],
    ids: Sequence[str],
) -> Replayed:
    wanted = list(dict.fromkeys(ids))
    found = await store.lock_letters(tx, wanted)
    for one in wanted:
        if one not in found:
            raise RejectedEventNotFoundError(one)
    waiting = [letter for letter in found.values() if letter.replayed_at is None]
    results = {
        result.rejected_event_id: result
        for result in await _replay(tx, ingestor, clock, read_event, waiting)
    }
    replayed = Replayed()
    for one in wanted:
        # A letter that was replayed before counts already.
        result = results.get(one) or ReplayedEvent(
            rejected_event_id=one, outcome=Outcome.DEDUPLICATED
        )
        _note(replayed, result)
        replayed.results.append(result)
    return replayed


async def _replay_waiting(
    tx: Tx,
    ingestor: Ingestor,
    clock: Clock,
    read_event: Callable[[bytes], Any],
    after_id: str | None,
) -> Replayed:
    replayed = Replayed()
    after = None if after_id is None else await _position(tx, after_id)
    for _ in range(MAX_REPLAYED // _SLICE):
        letters = await store.lock_waiting_letters(tx, limit=_SLICE, after=after)
        replayed.last_id = letters[-1].id if len(letters) == _SLICE else None
        if not letters:
            break
        after = (letters[-1].received_at, letters[-1].id)
        for result in await _replay(tx, ingestor, clock, read_event, letters):
            _note(replayed, result)
            if result.outcome is Outcome.HELD and len(replayed.results) < MAX_RESULTS:
                replayed.results.append(result)
    return replayed


async def _position(tx: Tx, letter_id: str) -> tuple[datetime, str]:
    found = await store.lock_letters(tx, [letter_id])
    if letter_id not in found:
        raise RejectedEventNotFoundError(letter_id, "after_rejected_event_id")
    return found[letter_id].received_at, letter_id


def _note(replayed: Replayed, result: ReplayedEvent) -> None:
    match result.outcome:
        case Outcome.ACCEPTED:
            replayed.accepted += 1
        case Outcome.DEDUPLICATED:
            replayed.deduplicated += 1
        case _:
            replayed.held += 1


async def _replay(
    tx: Tx,
    ingestor: Ingestor,
    clock: Clock,
    read_event: Callable[[bytes], Any],
    letters: Sequence[RejectedEvent],
) -> list[ReplayedEvent]:
    """Counts what can be counted of these letters, and notes on each what became of it."""
    if not letters:
        return []
    recorded = await ingestor.record_again(
        tx.merchant_id,
        [read_event(letter.event) for letter in letters],
        [to_microseconds(letter.received_at) for letter in letters],
    )
    why = {rejection.index: rejection for rejection in recorded.rejections}
    results = [
        ReplayedEvent(
            rejected_event_id=letter.id,
            outcome=Outcome.HELD if outcome is Outcome.REJECTED else outcome,
            error=why.get(index),
        )
        for index, (letter, outcome) in enumerate(zip(letters, recorded.outcomes, strict=True))
    ]
    counted = [one.rejected_event_id for one in results if one.error is None]
    if counted:
        await store.mark_replayed(tx, counted, clock.now())
    await store.update_errors(
        tx, {one.rejected_event_id: one.error for one in results if one.error is not None}
    )
    return results
