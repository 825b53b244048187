"""Waiting for what becomes true, as long as that takes.

The patience is for a machine that does much else: a test that passes never needs it, so it costs nothing. How soon
something happens is for tests marked `quiet` to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

PATIENCE_S = 120.0
_POLL_S = 0.005
_UNNAMED = "what was waited for"

_T = TypeVar("_T")


class _Patience:
    """Runs out, once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._ends_at_s = time.monotonic() + PATIENCE_S

    def check(self) -> None:
        """Fails when it has run out, with what did not come."""
        assert time.monotonic() < self._ends_at_s, f"not within {PATIENCE_S:.0f} s: {self._what}"


def until(holds: Callable[[], object], what: str = _UNNAMED) -> float:
    """Returns after how many seconds it held. Fails when it never does."""
    began = time.monotonic()
    first(holds, what)
    return time.monotonic() - began


def first(look: Callable[[], _T | None], what: str = _UNNAMED) -> _T:
    """The first true answer of `look`, asked again and again. Fails when none comes."""
    patience = _Patience(what)
    while not (found := look()):
        patience.check()
        time.sleep(_POLL_S)
    return found


async def eventually(look: Callable[[], Awaitable[_T | None]], what: str = _UNNAMED) -> _T:
    """The same, of what waits itself."""
    patience = _Patience(what)
    while not (found := await look()):
        patience.check()
        await asyncio.sleep(_POLL_S)
    return found


async def becomes(holds: Callable[[], object], what: str = _UNNAMED) -> None:
    """Returns when it holds, and leaves the loop to others meanwhile. Fails when it never does."""
    patience = _Patience(what)
    while not holds():
        patience.check()
        await asyncio.sleep(_POLL_S)
