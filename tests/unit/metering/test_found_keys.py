"""Whether all of a flush was sent before, as it was sent then (EVT-2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.found_keys import FoundKeys
from candela_server.metering.prepared_event import PreparedEvent

from tests.helpers.prepared import ANY_EVENT

_KEYS = [bytes([number]) * 16 for number in range(4)]
_PAYLOADS = [bytes([number]) * 8 for number in range(2)]


def _event(key: bytes, payload: bytes) -> PreparedEvent:
    return ANY_EVENT._replace(key_hash=key, payload_hash=payload)


@pytest.mark.spec("EVT-2")
@given(
    flush=st.lists(
        st.lists(st.builds(_event, st.sampled_from(_KEYS), st.sampled_from(_PAYLOADS)), min_size=1),
        min_size=1,
        max_size=3,
    ),
    known=st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_PAYLOADS)),
)
def test_a_flush_was_sent_before__when_the_same_payload_stands_under_each_of_its_keys(
    flush: list[list[PreparedEvent]], known: dict[bytes, bytes]
) -> None:
    found = FoundKeys(b"".join(key + payload for key, payload in known.items()))

    assert found.payloads() == known
    assert found.hold(flush) is all(
        known.get(event.key_hash) == event.payload_hash for events in flush for event in events
    )
