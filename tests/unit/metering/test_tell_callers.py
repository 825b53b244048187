"""What callers hear of a flush: the first of a key counts, the same again was sent before, another payload is refused
(EVT-2)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.bumps import NO_BUMPS
from candela_server.metering.event_lanes import Batch, Call
from candela_server.metering.flush_work import Flushed
from candela_server.metering.model import Outcome, Recorded
from candela_server.metering.prepared_event import PreparedEvent
from candela_server.metering.tell_callers import tell

from tests.helpers.prepared import ANY_EVENT

_KEYS = [bytes([number]) * 16 for number in range(6)]
_PAYLOADS = [bytes([number]) * 8 for number in range(3)]


def _event(key: bytes, payload: bytes) -> PreparedEvent:
    return ANY_EVENT._replace(key_hash=key, payload_hash=payload)


@pytest.mark.spec("EVT-2")
@given(
    calls=st.lists(
        st.lists(st.builds(_event, st.sampled_from(_KEYS), st.sampled_from(_PAYLOADS)), min_size=1),
        min_size=1,
        max_size=4,
    ),
    known=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_PAYLOADS)),
)
async def test_every_caller__hears_what_became_of_each_event(
    calls: list[list[PreparedEvent]], known: dict[bytes, bytes]
) -> None:
    batches = [
        Batch(
            "mer_1",
            events,
            list(range(len(events))),
            Call(
                Recorded(outcomes=[Outcome.REJECTED] * len(events), rejections=[]),
                asyncio.Future(),
                open_parts=1,
            ),
        )
        for events in calls
    ]
    everything = [event for events in calls for event in events]
    first = {event.key_hash: event.payload_hash for event in reversed(everything)}
    won = set(first) - set(known)
    all_repeated = all(known.get(one.key_hash) == one.payload_hash for one in everything)
    # Where each event was won or each repeated nobody asks for payloads.
    stored = {} if len(won) == len(everything) or all_repeated else {**first, **known}

    tell(batches, Flushed(1, won, stored, NO_BUMPS, bool(known), all_repeated))

    taken = dict(known)
    for batch in batches:
        recorded = batch.call.done.result()
        refused = {rejection.index for rejection in recorded.rejections}
        for index, event in enumerate(batch.events):
            standing = taken.setdefault(event.key_hash, event.payload_hash)
            counts = event.key_hash in won
            won.discard(event.key_hash)
            if counts:
                assert recorded.outcomes[index] is Outcome.ACCEPTED
            elif standing == event.payload_hash:
                assert recorded.outcomes[index] is Outcome.DEDUPLICATED
            else:
                assert recorded.outcomes[index] is Outcome.REJECTED
            assert (index in refused) is (not counts and standing != event.payload_hash)
