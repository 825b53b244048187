"""Finds out whose usage moved among watched customers: usage leaves no trace that a stream could hear of (ENT-8).

The counters are read in turn, `ASKS_PER_LOOK` of them a second and no more: up to that many metered features are as
fresh as a second. `ASKS_AT_ONCE` are read together, evenly over the time, because checks and changes of that moment
wait for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

import structlog

from candela_server.customer.model import CustomerById, CustomerId

from .check_entitlement import Checker
from .model import FeatureState, Snapshot
from .rules.allowance import ONE
from .rules.used_print import used_print
from .watched_merchant import WatchedMerchant

log = structlog.get_logger("candela.watch")

ASKS_PER_LOOK = 1_000
ASKS_AT_ONCE = 25
"""Some two milliseconds of work."""
READING_S = 0.25
"""Time for which customers are gone through at once; a slow database makes it fewer of them."""

Moved = Callable[[str, WatchedMerchant, str], None]
"""Is told of a merchant's id, the merchant, and the id of its customer whose usage moved."""


class UsageFollower:
    """Reads the usage of all that one process watches."""

    def __init__(
        self,
        checker: Checker,
        merchants: Mapping[str, WatchedMerchant],
        moved: Moved,
        look_s: float,
    ) -> None:
        """Takes who answers checks, what is watched by merchant, who hears of it, and how long a look takes."""
        self._checker = checker
        self._merchants = merchants
        self._moved = moved
        self._look_s = look_s

    async def follow_forever(self) -> None:
        """Looks at everybody in turn, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            next_s = loop.time() + self._look_s
            merchants = list(self._merchants.items())
            for merchant_id, merchant in merchants:
                try:
                    await self._follow(
                        merchant_id, merchant, max(1, ASKS_PER_LOOK // len(merchants))
                    )
                except Exception as error:  # the next look tries again
                    log.warning("watch_usage_unread", merchant_id=merchant_id, exc_info=error)
            await asyncio.sleep(max(next_s - loop.time(), self._look_s / ASKS_PER_LOOK))

    async def _follow(self, merchant_id: str, merchant: WatchedMerchant, asks: int) -> None:
        """Tells whose usage moved among the merchant's next, for about so many metered features."""
        turn = merchant.next_turn()
        while turn and asks > 0:
            at_once = min(asks, ASKS_AT_ONCE)
            read = await _read_prints(self._checker, merchant_id, turn, asks=at_once)
            for one, usage in read.prints.items():
                if merchant.take_print(one, usage):
                    self._moved(merchant_id, merchant, one)
            if read.asked < at_once:
                return
            asks -= read.asked
            await asyncio.sleep(self._look_s * read.asked / ASKS_PER_LOOK)


@dataclass(frozen=True, slots=True)
class _Read:
    """By customer, the print of its usage; and how many metered features were asked for."""

    prints: dict[str, int]
    asked: int


async def _read_prints(checker: Checker, merchant_id: str, turn: deque[str], *, asks: int) -> _Read:
    """The print of the next customers' usage, taken from the front of `turn`, for about so many metered features.

    For fewer than `asks` when the turn is over, or when `READING_S` is.
    """
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
    return _Read(
        {one: used_print(islice(answers, count)) for one, count in counts.items()}, len(wanted)
    )
