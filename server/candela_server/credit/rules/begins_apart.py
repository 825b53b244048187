"""Grants of a definition are told apart by when they begin, so a further one begins a little earlier (CRD-5)."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final

_STEP: Final = timedelta(microseconds=1)


def begins_apart(at: datetime, begins: Container[datetime]) -> datetime:
    """The latest instant, `at` if it is free, at which none of the others begins."""
    while at in begins:
        at -= _STEP
    return at
