"""Finds payment card numbers where none belongs: a store of usage events is no place for them.

A number counts as one when it begins as a card scheme's numbers do, has a length of that scheme, and its check digit
is right (Luhn). All three, because many honest ids are long: of random 16-digit numbers that begin with 4 still one in
ten would be refused, of timestamps and of the usual generated ids none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_MIN_DIGITS: Final = 14
_MAX_DIGITS: Final = 19

_OF_CARDS: Final = bytes(ord("0") if chr(byte) in "0123456789 -" else 0 for byte in range(256))
_WORTH_A_LOOK: Final = b"0" * _MIN_DIGITS
"""So many bytes in a row that a card number may be written with. A translation and a search in C: some 0.2 µs, which is
what an event without such numbers pays; a regular expression would take ten times as long."""

_GROUP: Final = re.compile(r"(?<![0-9A-Za-z.])[0-9]+(?![0-9A-Za-z]|\.[0-9])")

_SCHEMES: Final = (
    (re.compile(r"4"), (16, 19)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"6011|64[4-9]|65"), (16, 17, 18, 19)),  # Discover
    (re.compile(r"352[89]|35[3-8]"), (16, 17, 18, 19)),  # JCB
    (re.compile(r"30[0-5]|36|38|39"), (14, 16, 17, 18, 19)),  # Diners Club
    (re.compile(r"62"), (16, 17, 18, 19)),  # UnionPay
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[123]"), (16, 17, 18, 19)),  # Maestro
)


def may_hold_card_number(encoded: bytes) -> bool:
    """Whether a closer look is worth it: fast, and never wrongly False but for digits that JSON has escaped."""
    return _WORTH_A_LOOK in encoded.translate(_OF_CARDS) or b"\\u" in encoded


def holds_card_number(text: str) -> bool:
    """Whether a card number stands in the text, written in one piece or in groups."""
    return any(_is_card_number(digits) for digits in _numbers(text))


def _numbers(text: str) -> Iterator[str]:
    """Every number of a card's length in the text; groups apart by one space or hyphen are also read together."""
    groups = list(_GROUP.finditer(text))
    for first, group in enumerate(groups):
        digits, end = group.group(), group.end()
        if _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
            yield digits
        for following in groups[first + 1 :]:
            if following.start() != end + 1 or text[end] not in " -":
                break
            digits, end = digits + following.group(), following.end()
            if len(digits) > _MAX_DIGITS:
                break
            if len(digits) >= _MIN_DIGITS:
                yield digits


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
