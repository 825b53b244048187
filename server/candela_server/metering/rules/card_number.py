"""Finds payment card numbers where none belongs: a store of usage events is no place for them.

A number counts as one when it begins as a card scheme's numbers do, has a length of that scheme, its check digit is
right (Luhn), and it is written in one piece or in the groups that cards show. All of these, because many honest ids are
long: a UUID's hyphens divide it otherwise, so no UUID is refused. Of random 16-digit numbers still one in forty is.
"""

from __future__ import annotations

import re
from typing import Final

_MIN_DIGITS: Final = 14

_OF_CARDS: Final = bytes(ord("0") if chr(byte) in "0123456789 -" else 0 for byte in range(256))
_WORTH_A_LOOK: Final = b"0" * _MIN_DIGITS
"""So many bytes in a row that a card number may be written with. A translation and a search in C: some 0.2 µs, which is
what an event without such numbers pays; a regular expression would take ten times as long."""

_SHAPES: Final = tuple(
    # Looked ahead at, so that numbers that overlap are all read; no letters, digits or decimals may stand around them.
    re.compile(rf"(?<![0-9A-Za-z.])(?=({shape})(?![0-9A-Za-z]|\.[0-9]))")
    for shape in (
        r"[0-9]{14,19}",
        r"[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{2,4}",
        r"[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{4}\2[0-9]{3}",
        r"[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}",  # Diners Club, American Express
    )
)

_SCHEMES: Final = (
    (re.compile(r"4"), (16,)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"6011|64[4-9]|65"), (16,)),  # Discover
    (re.compile(r"352[89]|35[3-8]"), (16,)),  # JCB
    (re.compile(r"30[0-5]|36|38|39"), (14, 16)),  # Diners Club
    (re.compile(r"62"), (16, 19)),  # UnionPay
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[123]"), (16, 18, 19)),  # Maestro
)
"""How numbers begin, and the lengths that are issued. ISO/IEC 7812 allows most schemes up to 19 digits, but ids that
count up are of 17 to 19 digits, and one in ten of those that begin so would be refused."""


def may_hold_card_number(encoded: bytes) -> bool:
    """Whether a closer look is worth it: fast, and never wrongly False but for digits that JSON has escaped."""
    return _WORTH_A_LOOK in encoded.translate(_OF_CARDS) or b"\\u" in encoded


def holds_card_number(text: str) -> bool:
    """Whether a card number stands in the text, written in one piece or in groups."""
    return any(
        _is_card_number(written[1].replace(" ", "").replace("-", ""))
        for shape in _SHAPES
        for written in shape.finditer(text)
    )


def _is_card_number(digits: str) -> bool:
    return any(
        len(digits) in lengths and scheme.match(digits) for scheme, lengths in _SCHEMES
    ) and _has_right_check_digit(digits)


def _has_right_check_digit(digits: str) -> bool:
    """Luhn: every second digit from the right is doubled, and the sum of all digits ends with 0."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
