"""Tells whether usage moved, by one number per customer (ENT-8)."""

from __future__ import annotations

from collections.abc import Iterable

from candela_server.entitlement.model import Answer


def used_print(answers: Iterable[Answer]) -> int:
    """A print that differs when somebody used more, or the same at another time, of which the limit tells."""
    return hash(tuple((one.usage.used, one.usage.limit) for one in answers if one.usage))
