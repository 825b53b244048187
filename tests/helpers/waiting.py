"""Waiting for something to become true, and no longer than that."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 10.0
_POLL_S = 0.005


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """Returns after how many seconds it held. Fails when it does not in time."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > patience_s:
            raise AssertionError(f"it did not become true within {patience_s} s")
        time.sleep(_POLL_S)
    return time.monotonic() - began
