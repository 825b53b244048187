"""Reads how much watched customers used, as prints that differ when a number does (ENT-8)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from candela_server.customer.model import CustomerById, CustomerId

from .check_entitlement import Checker
from .model import Answer, FeatureState, Snapshot
from .rules.allowance import ONE

READING_S = 0.25
"""Time for which customers are gone through at once; a slow database makes it fewer of them."""


async def read_used_prints(
    checker: Checker, merchant_id: str, turn: deque[str], *, asks: int
) -> dict[str, int]:
    """The print of the next customers' usage, taken from the front of `turn`, for about so many metered features."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + READING_S
    wanted: list[tuple[Snapshot, FeatureState, Decimal]] = []
    counts: dict[str, int] = {}
    while turn and len(wanted) < asks and loop.time() < until_s:
        one = turn.popleft()
        snapshot = await checker.snapshot(merchant_id, CustomerById(CustomerId(one)))
        metered = [
            (snapshot, state, ONE)
            for _, state in sorted(snapshot.features.items())
            if state.metered is not None
        ]
        counts[one] = len(metered)
        wanted += metered
    answers = iter(await checker.check_states(merchant_id, wanted))
    return {one: used_print(islice(answers, count)) for one, count in counts.items()}


def used_print(answers: Iterable[Answer]) -> int:
    """A print that differs when somebody used more, or the same at another time, of which the limit tells."""
    return hash(tuple((one.usage.used, one.usage.limit) for one in answers if one.usage))
