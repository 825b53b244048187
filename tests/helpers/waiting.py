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

_T = TypeVar("_T")


def until(holds: Callable[[], bool]) -> float:
    """Returns after how many seconds it held. Fails when it never does."""
    began = time.monotonic()
    first(lambda: holds() or None)
    return time.monotonic() - began


def first(look: Callable[[], _T | None]) -> _T:
    """The first true answer of `look`, asked again and again. Fails when none comes."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < give_up_at_s, f"not within {PATIENCE_S} s"
        time.sleep(_POLL_S)
    return found


async def eventually(look: Callable[[], Awaitable[_T | None]]) -> _T:
    """The same, of what waits itself."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not (found := await look()):
        assert time.monotonic() < give_up_at_s, f"not within {PATIENCE_S} s"
        await asyncio.sleep(_POLL_S)
    return found
