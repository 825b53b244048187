"""A small flush that trusts its keys: the whole transaction in one round trip (EVT-3).

Data plane. A flush waits for its turn on the processors with each round trip, which under load takes longer than its
statements do: six of them were more than half of what a flush of 300 events took. All that the database could answer
on the way is a refusal, and then it refuses the rest as well: the writer was forgotten, metrics have changed, or a key
is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from candela_server.storage.events import Connection

from . import key_store, new_event_store, store
from .add_usage import add_flush
from .flush_work import Flushed, Work

AT_ONCE: Final = 800
"""Events up to which this is sooner done; beyond, copying them costs the database less than the round trips do."""


def goes_at_once(work: Work) -> bool:
    """Whether it is small, and its rows can stand in a statement; those of a batch were all prepared for the same."""
    return work.size <= AT_ONCE and all(
        isinstance(batch.events[0].row, tuple) for batch in work.batches
    )


async def flush_at_once(
    connection: Connection, work: Work, searches: Sequence[store.KeySearch]
) -> Flushed:
    """Stores all of it, unless a key is taken. Raises as flush_events.Flusher.flush does."""
    first = work.by_key()
    won = set(first)
    survivors = work.survivors(won)
    folded = work.fold(survivors)
    with store.refusals():
        async with connection.pipeline():
            begun = await store.begin_flush(connection, work.writer, work.versions, work.now)
            for one in searches:
                await key_store.expect_free_keys(connection, one.keys, one.oldest, one.before)
            for _, part in work.parts:
                keys = sorted(part)
                for month in work.months:
                    await key_store.insert_keys(connection, [part[key] for key in keys], month)
            await new_event_store.insert_events(
                connection, [event for events in survivors.values() for event in events]
            )
            await add_flush(connection, work, folded, survivors)
            await store.commit_flush(connection)
    return work.flushed(await store.has_begun(begun), won, {}, folded)
