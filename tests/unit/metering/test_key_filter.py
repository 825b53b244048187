"""Filters of old keys: whatever was added is suspected, and hardly anything else (EVT-2)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.key_filter import MOST_BYTES, KeyFilter

_KEYS = st.lists(st.binary(min_size=16, max_size=16), max_size=50)


def _holding(keys: list[bytes], room: int) -> KeyFilter:
    made = KeyFilter.for_keys(room)
    made.add(b"".join(keys))
    return made


@pytest.mark.spec("EVT-2")
@given(added=_KEYS, others=_KEYS, room=st.integers(0, 5_000))
def test_what_was_added__is_suspected_in_order_and_survives_being_stored(
    added: list[bytes], others: list[bytes], room: int
) -> None:
    stored = KeyFilter(_holding(added, room).to_bytes())

    suspects = stored.suspects(others + added)

    assert suspects[len(suspects) - len(added) :] == added
    assert [key for key in suspects if key in added] == [
        key for key in others + added if key in added
    ]


@pytest.mark.spec("EVT-2")
@given(here=_KEYS, there=_KEYS, room=st.integers(0, 5_000), other_room=st.integers(0, 5_000))
def test_a_joined_one__suspects_what_either_does(
    here: list[bytes], there: list[bytes], room: int, other_room: int
) -> None:
    one, other = _holding(here, room), _holding(there, other_room)

    joined = one.joined(other)

    assert joined.suspects(here + there) == here + there
    assert joined.to_bytes() == other.joined(one).to_bytes()
    assert len(joined.to_bytes()) == max(len(one.to_bytes()), len(other.to_bytes()))


@pytest.mark.spec("EVT-2")
def test_of_keys_that_were_not_added__one_in_a_hundred_is_suspected_of_three_months() -> None:
    random.seed(7)
    months = [_holding([random.randbytes(16) for _ in range(30_000)], 32_768) for _ in range(3)]
    others = [random.randbytes(16) for _ in range(100_000)]

    window = months[0].joined(months[1]).joined(months[2])

    assert len(window.to_bytes()) == 131_072
    assert len(months[0].suspects(others)) < 200
    assert 300 < len(window.suspects(others)) < 2_000


@pytest.mark.spec("EVT-2")
def test_an_empty_one__suspects_nobody() -> None:
    assert KeyFilter.for_keys(0).suspects([bytes(16), bytes([255]) * 16]) == []


@pytest.mark.spec("EVT-2")
def test_a_stored_filter__is_read_by_every_later_version() -> None:
    """Which bits a key sets is what stored filters mean: another choice would forget keys."""
    filled = _holding([bytes(range(16)), bytes(range(16, 32))], 1)

    blocks = filled.to_bytes()
    # The lowest byte of a key names the block, 0 and 16; four bits are set in each.
    assert {at: blocks[at] for at in range(len(blocks)) if blocks[at]} == {
        0: 0b00100000,
        1: 0b00100000,
        3: 0b01000100,
        64: 0b00010000,
        65: 0b00010100,
        67: 0b00000010,
    }


@pytest.mark.spec("EVT-2")
def test_a_huge_month__gets_no_more_than_the_largest() -> None:
    assert len(KeyFilter.for_keys(10**9).to_bytes()) == MOST_BYTES
