"""The live counters for checks that cannot wait: one command whose bytes are ready, and the number in its answer.

Data plane. Budget: 2 µs here for each reading, besides the lane's. It reads what cache.py keeps, and knows no more
than whether a counter is good; whoever gets None asks read_counters.py, which repairs and never fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from candela_server.kernel.money import exact
from candela_server.storage.redis_lane import LaneClosedError, RedisLane, encode

from .counter_names import EPOCH_KEY, counter_id, customer_key
from .model import UsageAsk
from .read_counters import Counters
from .rules.aggregation import adds_up, plain

PREAMBLE: Final = encode("GET", EPOCH_KEY)

Raw: TypeAlias = list[Any]
"""A counter as Redis holds it: epoch, vector, whole part, fraction. Equal ones have equal values.

With it may come the same customer's counters of parts of its window: vector, whole part, fraction each.
"""

_PLACES: Final = 1_000_000_000_000
_ALONE: Final = 4
"""The fields of a counter that comes alone."""


class QuickCounter:
    """One counter: the question for it, and what its answer means. `parts` are those that come with it."""

    __slots__ = ("_adds_up", "command")

    def __init__(self, merchant_id: str, ask: UsageAsk, parts: Sequence[UsageAsk] = ()) -> None:
        """Prepares the question. The parts are of the same customer's usage, and kept in the same hash."""
        self.command = encode(
            "HMGET",
            customer_key(merchant_id, ask.who.customer_id),
            "e",
            *(f"{field}{counter_id(one)}" for one in (ask, *parts) for field in "vif"),
        )
        self._adds_up = adds_up(ask.metric)

    def value(self, raw: Raw) -> Decimal:
        """The number that a counter holds."""
        return self._number(raw[2], raw[3])

    def parts(self, raw: Raw) -> list[Decimal]:
        """The numbers that the counters of its parts hold."""
        return [self._number(raw[at + 1], raw[at + 2]) for at in range(_ALONE, len(raw), 3)]

    def _number(self, whole: bytes, fraction: bytes) -> Decimal:
        if not self._adds_up:
            return Decimal(whole.decode())
        with exact():
            return plain(Decimal(int(whole) * _PLACES + int(fraction)).scaleb(-12))


class CounterGroup:
    """Some counters that are read together."""

    __slots__ = ("commands", "size")

    def __init__(self, counters: Sequence[QuickCounter]) -> None:
        """Prepares the question for all of them, in this order."""
        self.commands = b"".join(counter.command for counter in counters)
        self.size = len(counters)


class QuickCounters:
    """Reads counters through the lane; one per process."""

    def __init__(self, lane: RedisLane, counters: Counters) -> None:
        """Takes the lane, opened with PREAMBLE, and who knows whether Redis is to be trusted."""
        self._lane = lane
        self._counters = counters
        # A Redis that was lost may come back with what it held before.
        lane.on_lost = counters.doubt

    async def read(self, wanted: QuickCounter) -> Raw | None:
        """The counter; None when it is missing, unsure or out of reach."""
        if not self._counters.trusted():
            return None
        try:
            epoch, raw = await self._lane.send(wanted.command)
        except LaneClosedError:
            return None
        # A flush may have failed to arrive while this was being read.
        trusted = not self._counters.distrusted
        return raw if trusted and is_good(raw, epoch) else None

    async def read_all(self, wanted: CounterGroup) -> tuple[Any, list[Raw]] | None:
        """The epoch, and the counters in the order asked for; None when they are unsure or out of reach.

        Each is good only if `is_good` says so; whoever has judged equal ones before need not do it again.
        """
        if not self._counters.trusted():
            return None
        try:
            epoch, raws = await self._lane.send_all(wanted.commands, wanted.size)
        except LaneClosedError:
            return None
        return None if self._counters.distrusted else (epoch, raws)


def is_good(raw: Any, epoch: Any) -> bool:
    """Whether a counter belongs to the present epoch and was filled, and so were those of its parts; an error of Redis
    is no list."""
    return (
        type(raw) is list
        and epoch is not None
        and raw[0] == epoch
        and raw[1] is not None
        and (len(raw) == _ALONE or None not in raw[_ALONE::3])
    )
