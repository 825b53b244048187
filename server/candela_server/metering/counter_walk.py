"""A walk over all live counters, to compare each with the rollups it stands for (ENT-4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .counter_names import COUNTER_KEYS, EPOCH_KEY
from .counter_shadows import COMPARING_KEY, CounterShadows, is_shadow

_FIELDS_AT_ONCE: Final = 1_000
"""Fields of a hash in one answer: a customer with many users must not keep Redis busy for long."""

_WINDOW: Final = re.compile(rb"(-?\d+),(-?\d+),[a-z],([^;]+);")


class Named(NamedTuple):
    """A window as a customer's hash names it: whose usage, its instants in microseconds, and its counter."""

    metric_id: str
    user_id: str
    start_us: int
    end_us: int
    counter: str


@dataclass(slots=True)
class Held:
    """What one customer's hash holds: the counters that were filled, and the windows that flushes find them by."""

    merchant_id: str
    customer_id: str
    windows: list[Named] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)

    @property
    def orphans(self) -> set[str]:
        """Counters without a window: checks read them, and no flush reaches them."""
        return self.filled - {window.counter for window in self.windows}


class CounterWalk(CounterShadows):
    """Goes over all counters, a page at a time. Where it stands is kept beside them, as a cursor means nothing to
    another Redis."""

    async def standing(self) -> int:
        """The cursor behind the last page; 0 is the beginning."""
        found = await self._redis.client.hget(COMPARING_KEY, "cursor")
        return int(found or 0)

    async def page(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """The keys of about `count` customers, and the cursor behind them: 0 after the last."""
        # Both answer bytes here, which their types leave open.
        client: Any = self._redis.client
        behind, keys = await client.scan(
            cursor, match=f"{COUNTER_KEYS}*", count=count, _type="hash"
        )
        return int(behind), [key.decode() for key in keys]

    async def stand(self, cursor: int) -> None:
        """Notes where the walk stands."""
        await self._redis.client.hset(COMPARING_KEY, "cursor", cursor)

    async def held(self, key: str) -> Held | None:
        """What the hash of a customer holds; None when it belongs to another epoch, which nobody reads any more."""
        merchant_id, _, customer_id = (
            key.removeprefix(COUNTER_KEYS).removesuffix("}").partition(":")
        )
        held = Held(merchant_id, customer_id)
        begins: dict[str, int] = {}
        client: Any = self._redis.client
        if await client.hget(key, "e") != await client.get(EPOCH_KEY):
            return None
        cursor = 0
        while True:
            cursor, fields = await client.hscan(key, cursor, count=_FIELDS_AT_ONCE)
            for name, value in fields.items():
                kind, rest = name[:1], name[1:].decode()
                if kind == b"r":
                    metric_id, _, user_id = rest.removeprefix(":").partition("|")
                    held.windows += [
                        Named(metric_id, user_id, int(start), int(end), counter.decode())
                        for start, end, counter in _WINDOW.findall(value)
                    ]
                elif kind == b"v" and not is_shadow(rest):
                    # A shadow may come between two answers of this scan, and look as if no window were its own.
                    held.filled.add(rest)
                elif kind == b"w":
                    begins[rest] = int(value)
            if not cursor:
                break
        held.windows = [
            window._replace(start_us=begins.get(window.counter, window.start_us))
            for window in held.windows
        ]
        return held
