"""A flush that must hear of its keys before it can go on, or is so large that copying it pays (EVT-2, EVT-7)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.storage.events import Connection

from . import new_event_store, store
from .add_usage import add_flush
from .claim_events import claim_free_keys, claim_keys
from .event_writer import Care
from .flush_work import Flushed, Work


async def flush_in_steps(
    connection: Connection, work: Work, searches: Sequence[store.KeySearch], care: Care
) -> Flushed:
    """Looks for keys, takes those that are free, and stores their events. Raises as flush_events.Flusher.flush does."""
    opened = await store.open_flush(connection, work.writer, work.versions, searches, work.now)
    if opened.found.hold(batch.events for batch in work.batches):
        await store.abandon_flush(connection)
        return work.sent_before()
    won: set[bytes] = set()
    standing = opened.found.payloads()
    for oldest, part in work.parts:
        if care is Care.CONTESTED:
            claimed = await claim_keys(connection, part, work.months, oldest)
            won |= claimed.won
            standing |= claimed.standing
        else:
            won |= await claim_free_keys(connection, part, work.months, standing)
    if not won:
        await store.abandon_flush(connection)
        return work.flushed(None, won, standing, {})
    survivors = work.survivors(won)
    folded = work.fold(survivors)
    await new_event_store.copy_events(
        connection, [event for events in survivors.values() for event in events]
    )
    # From here on other flushes wait for the rows that this one adds to: it ends with the same round trip.
    async with connection.pipeline():
        await add_flush(connection, work, folded, survivors)
        await store.commit_flush(connection)
    return work.flushed(opened.begun, won, standing, folded)
