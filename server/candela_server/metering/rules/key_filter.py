"""Which of many keys may be among those that were taken in some month: a Bloom filter in blocks (EVT-2).

Data plane. Budget: 0.3 µs per key. A key names one block of 32 bits, and one of 4,096 patterns of four bits in it; it
may be there if all four are set. What was added is always suspected. Of other keys one in a thousand is, at four bytes
per added key, and one in fifty when three such filters are joined. One block per key, so one look into memory: after
Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from random import Random
from typing import Final

KEY_BYTES: Final = 16
MOST_BYTES: Final = 128 * 1024 * 1024
"""Above 32 million keys a filter gets no larger: three of 100 million, joined, suspect one foreign key in five."""

_BYTES_PER_KEY: Final = 4
_LEAST_BYTES: Final = 1024
_PIECE_BYTES: Final = 1024 * 1024
"""What is joined at a time: nothing else of the process runs meanwhile, about a millisecond."""
_WORDS_OF_KEY: Final = KEY_BYTES // 4


def _patterns() -> list[int]:
    # Stored filters are read with them, so they never change; Random promises the same numbers for the same seed.
    random = Random(20260131)
    patterns = []
    for _ in range(4096):
        bits: set[int] = set()
        while len(bits) < 4:
            bits.add(int(random.random() * 32))
        patterns.append(sum(1 << bit for bit in bits))
    return patterns


_PATTERNS: Final = _patterns()


class KeyFilter:
    """Remembers keys of 16 bytes, all of which are evenly spread, as hashes are."""

    __slots__ = ("_blocks",)

    def __init__(self, blocks: bytes) -> None:
        """One that `to_bytes` wrote."""
        self._blocks = array("I", blocks)
        if sys.byteorder == "big":
            self._blocks.byteswap()

    @classmethod
    def for_keys(cls, count: int) -> KeyFilter:
        """An empty one with room for so many keys."""
        size = _LEAST_BYTES
        while size < min(count * _BYTES_PER_KEY, MOST_BYTES):
            size *= 2
        return cls(bytes(size))

    def to_bytes(self) -> bytes:
        """The blocks, the lowest byte first; their number is a power of two."""
        written = array("I", self._blocks)
        if sys.byteorder == "big":
            written.byteswap()
        return written.tobytes()

    def add(self, keys: bytes) -> None:
        """Adds keys, one behind the other."""
        blocks, patterns, mask = self._blocks, _PATTERNS, len(self._blocks) - 1
        for block, pattern in zip(*_words(keys), strict=True):
            blocks[block & mask] |= patterns[pattern & 4095]

    def suspects(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those keys that may have been added; all that were."""
        blocks, patterns, mask = self._blocks, _PATTERNS, len(self._blocks) - 1
        return [
            key
            for key, block, pattern in zip(keys, *_words(b"".join(keys)), strict=True)
            if not patterns[pattern & 4095] & ~blocks[block & mask]
        ]

    def joined(self, other: KeyFilter) -> KeyFilter:
        """One that suspects whatever either does, as large as the larger one."""
        small, large = sorted((self.to_bytes(), other.to_bytes()), key=len)
        # A block is named by the lowest bits of its number, so a small filter is a large one that repeats itself.
        small *= len(large) // len(small)
        either = bytearray()
        for start in range(0, len(large), _PIECE_BYTES):
            pieces = (one[start : start + _PIECE_BYTES] for one in (small, large))
            a, b = (int.from_bytes(piece, "little") for piece in pieces)
            either += (a | b).to_bytes(min(_PIECE_BYTES, len(large)), "little")
        return KeyFilter(bytes(either))


def _words(keys: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first and the second 32 bits of each key."""
    words = struct.unpack(f"<{len(keys) // 4}I", keys)
    return words[::_WORDS_OF_KEY], words[1::_WORDS_OF_KEY]
