"""Prefixed ids: "cus_" and a UUIDv7 (RFC 9562 §5.7) in 26 characters of base 32, as TypeID has it.

Ids made by one process sort in the order they were made, which keeps index pages warm. Their time
part is never read as business time; that is why this file may look at the machine's clock when
nothing else may.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_PREFIX: Final = re.compile(r"[a-z][a-z0-9]{0,15}")
# 26 characters hold 130 bits, an id has 128: the first character is 7 at most.
_SUFFIX: Final = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")
_SUFFIX_LENGTH: Final = 26

_TAIL_BITS: Final = 74  # 12 bits of rand_a and 62 of rand_b
_RAND_B_BITS: Final = 62
_STEP_BYTES: Final = 4


class _Sequence:
    """The last id's time and tail, so that the next one is greater."""

    __slots__ = ("_lock", "_millisecond", "_tail")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._tail = 0

    def next(self) -> int:
        """A new UUIDv7 as a number, greater than all before it in this process."""
        with self._lock:
            # wall-clock: an id orders rows by when they were made here, whatever clock a customer is on
            millisecond = time.time_ns() // 1_000_000
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                self._tail = int.from_bytes(os.urandom(10), "big") >> (80 - _TAIL_BITS)
            else:
                # The same millisecond, or a clock that was set back: go on from the last id by a
                # random step, so that neighbours cannot be guessed.
                self._tail += 1 + int.from_bytes(os.urandom(_STEP_BYTES), "big")
                if self._tail >> _TAIL_BITS:
                    self._millisecond += 1
                    self._tail = int.from_bytes(os.urandom(8), "big")
            rand_a = self._tail >> _RAND_B_BITS
            rand_b = self._tail & ((1 << _RAND_B_BITS) - 1)
            return self._millisecond << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b


_sequence = _Sequence()


def _start_afresh() -> None:
    """A forked process must not continue its parent's sequence, nor inherit a held lock."""
    global _sequence
    _sequence = _Sequence()


os.register_at_fork(after_in_child=_start_afresh)


def new_id(prefix: str) -> str:
    """A fresh id such as "cus_01k9x3…"; safe to call from any thread."""
    assert _PREFIX.fullmatch(prefix), f"{prefix!r} is not an id prefix"
    number = _sequence.next()
    pairs = [_PAIRS[number >> shift & 0x3FF] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(pairs)}"


def parse_id(prefix: str, text: str) -> str:
    """`text`, when it is an id of this kind. Raises ValueError naming the expected prefix."""
    head, _, suffix = text.rpartition("_")
    if head == prefix and len(suffix) == _SUFFIX_LENGTH and _SUFFIX.fullmatch(suffix):
        return text
    if head and head != prefix and _SUFFIX.fullmatch(suffix):
        raise ValueError(
            f'is the id of another kind of thing ("{head[:16]}_…"); '
            f'expected an id that begins with "{prefix}_"'
        )
    raise ValueError(
        f'is not an id; expected "{prefix}_" and {_SUFFIX_LENGTH} characters, '
        f"as the server returned it"
    )
