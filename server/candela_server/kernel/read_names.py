"""Readers of what people name things by: names on one line, and ids of the caller's own.

Two of them that look alike must not be different, or nobody finds out why a customer is not found; and a name that
breaks its line breaks the document that shows it. What only points at something is not read by these: an id that could
not be given names nobody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

MAX_OWN_ID_BYTES: Final = 255

_CONTROLS: Final = frozenset({"Cc", "Zl", "Zp"})
"""Unicode's control characters (line breaks and tabs are among them), and its own two separators of lines."""

_UNSEEN: Final = _CONTROLS | {"Cf"}
"""With them, what is not seen: zero-width characters, direction marks, byte order marks."""


def line(least: int, most: int) -> Callable[[str], str]:
    """A reader of text on one line: `least` to `most` characters, not blanks alone, no control characters.

    What joins letters or turns their direction may be in it: names in Persian and Hindi need that.
    """

    def read_line(value: str) -> str:
        if not value and least:
            raise ValueError("must not be empty")
        if not least <= len(value) <= most:
            raise ValueError(f"must have {least} to {most} characters, not {len(value)}")
        if value and not value.strip():
            raise ValueError("must not be blanks alone")
        _refuse(value, _CONTROLS, "a line break or control character")
        return value

    return read_line


def own_id(value: str) -> str:
    """An id that the caller makes: 1 to 255 bytes of visible text, without blanks at its ends."""
    size = len(value.encode())
    if not 1 <= size <= MAX_OWN_ID_BYTES:
        raise ValueError(f"must have 1 to {MAX_OWN_ID_BYTES} bytes, not {size}")
    if value.isascii() and value.isprintable() and value[0] != " " != value[-1]:
        return value  # nearly every one, and mutations are many
    if value != value.strip():
        raise ValueError(f"must not begin or end with a blank, as {value!r} does; leave it out")
    _refuse(value, _UNSEEN, "a character that is not seen")
    return value


def _refuse(value: str, categories: frozenset[str], what: str) -> None:
    for character in value:
        if unicodedata.category(character) in categories:
            raise ValueError(
                f"must not hold {what}, as {value!r} does (U+{ord(character):04X}); leave it out"
            )
