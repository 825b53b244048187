"""What counts as a payment card number, and what does not (fault 40)."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.card_number import holds_card_number, may_hold_card_number
from candela_server.metering.rules.event_value import (
    EventFieldError,
    check_key,
    parse_properties,
)

# The schemes' own published test numbers.
_CARDS = [
    "4111111111111111",
    "4242424242424242",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "30569309025904",
    "6240008631401148",
]


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("card", _CARDS)
def test_card_number__is_found_whole_in_groups_and_in_a_sentence(card: str) -> None:
    grouped = " ".join(card[start : start + 4] for start in range(0, len(card), 4))
    for text in (
        card,
        grouped,
        grouped.replace(" ", "-"),
        f"2026-10-01 {card}.",
        f"card:{grouped} 123",
        f"{card},{card}",
        f"{card[:4]}-{card[4:10]}-{card[10:]}" if len(card) < 16 else card,
    ):
        assert holds_card_number(text), text
        assert may_hold_card_number(text.encode()), text


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # wrong check digit
        "1759288472991170630",  # nanoseconds
        "1759288472991170",  # microseconds
        "175928847299117063",  # a generated id
        "352099001761481",  # IMEI: right check digit, no card scheme
        "8949200000000000001",  # SIM card
        "0.4111111111111111",
        "a4111111111111111",
        "3530111333300000008",  # 19 digits that count up, and begin like a card of a scheme that issues none so long
        "41111111111111111111111",
        "4111 1111 1111",
        "+49 151 23456789",
        "5f3c9a3e-4111-1111-8111-1a1111111111",
        "5f3c9a3e-9a2b-4cde-4111-111111111111",  # UUIDs, whose last groups may be digits
        "5f3c9a3e-4111-1111-1111-1111a1b2c3d4",
        "41111111-1111-4111-9a2b-1a1111111111",
        "4111-111111111111",
        "4111-111-1111-11111",
        "4111 1111-1111 1111",
        "",
    ],
)
def test_other_long_numbers__are_let_through(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.spec("EVT-1")
@given(st.uuids())
def test_uuid__is_never_a_card_number(uuid: UUID) -> None:
    for text in (str(uuid), str(UUID(bytes=bytes(b % 10 + b // 16 % 10 * 16 for b in uuid.bytes)))):
        assert not holds_card_number(text), text


@pytest.mark.spec("EVT-1")
def test_key_that_looks_like_a_card_number_by_chance__is_a_key() -> None:
    check_key("4111111111111111", b"4111111111111111")


@pytest.mark.spec("EVT-1")
@given(st.text(st.sampled_from("0123456789 -.a"), max_size=80))
def test_fast_look__misses_nothing_that_the_close_one_finds(text: str) -> None:
    assert may_hold_card_number(text.encode()) or not holds_card_number(text)


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize(
    "encoded",
    [
        b'{"card":"4111 1111 1111 1111"}',
        b'{"card":4111111111111111}',
        b'{"4111111111111111":"x"}',
        b'{"card":"\\u0034111111111111111"}',
    ],
)
def test_property_with_a_card_number__is_refused_without_repeating_it(encoded: bytes) -> None:
    with pytest.raises(EventFieldError) as caught:
        parse_properties(encoded)

    assert "payment card" in str(caught.value)
    assert "1111" not in str(caught.value)
