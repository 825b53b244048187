"""What a comparison of all live counters needs of Redis: a walk over them, and shadows of single ones (ENT-4).

A shadow is a second counter of the same scope and window. It is filled as every counter is, from one snapshot of the
database, and bumped by the same scripts in the same steps; so once all flushes of that snapshot have arrived, it and
the counter beside it must hold the same number, however many events are flushed meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import resources
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import uuid4

from .cache import (
    COUNTER_KEYS,
    EPOCH_KEY,
    CounterCache,
    Expectation,
    counter_id,
    counter_scope,
    customer_key,
    first_us,
    parts_of,
    value_of,
)
from .model import UsageAsk
from .rules.aggregation import BEGINNING, adds_up
from .rules.bucket import to_microseconds

_WALK_KEY: Final = "candela:usage:walk"
_FIELDS_AT_ONCE: Final = 1_000
"""Fields of a hash in one answer: a customer with many users must not keep Redis busy for long."""

_SHADOW: Final = "~"
_FORGET_SHADOW: Final = (resources.files(__package__) / "forget_shadow.lua").read_text()
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


Pair: TypeAlias = tuple[Decimal | None, Decimal | None]
"""A counter and its shadow, as of one instant; None for what is no number."""


class CounterWalk(CounterCache):
    """Goes over all counters, a page at a time. Where it stands is kept beside them, as a cursor means nothing to
    another Redis; so are the counts of what it found."""

    async def standing(self) -> int:
        """The cursor behind the last page; 0 is the beginning."""
        found = await self._redis.client.hget(_WALK_KEY, "cursor")
        return int(found or 0)

    async def page(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """The keys of about `count` customers, and the cursor behind them: 0 after the last."""
        # Both answer bytes here, which their types leave open.
        client: Any = self._redis.client
        behind, keys = await client.scan(
            cursor, match=f"{COUNTER_KEYS}*", count=count, _type="hash"
        )
        return int(behind), [key.decode() for key in keys]

    async def stand(self, cursor: int, *, compared: int, drifted: int) -> None:
        """Notes where the walk stands, and what the page before held."""
        await self._redis.client.hset(_WALK_KEY, "cursor", cursor)
        await self.count(compared=compared, drifted=drifted)

    async def count(self, *, compared: int, drifted: int) -> None:
        """Counts what was compared, and what of it had drifted."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.hincrby(_WALK_KEY, "compared", compared)
        pipeline.hincrby(_WALK_KEY, "drifted", drifted)
        await pipeline.execute()

    async def counts(self) -> tuple[int, int]:
        """How many counters were ever compared, and how many of them had drifted; as long as this Redis remembers."""
        found = await self._redis.client.hmget(_WALK_KEY, ["compared", "drifted"])
        return int(found[0] or 0), int(found[1] or 0)

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
                elif kind == b"v":
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

    async def expect_shadows(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Expectation]:
        """Announces the filling of shadows, before the snapshot that they are filled from.

        Unlike those who ask for usage, it forgets no window and prolongs no life.
        """
        epoch = await self._epoch()
        keys = [customer_key(merchant_id, ask.who.customer_id) for ask in asks]
        pipeline = self._redis.client.pipeline(transaction=False)
        for key in keys:
            pipeline.ttl(key)
        lives = await pipeline.execute()
        tokens = await self._call(
            [
                (
                    self._expect,
                    [key],
                    [
                        epoch,
                        _scope_of(ask),
                        first_us(ask),
                        to_microseconds(ask.window.end_at),
                        "a" if adds_up(ask.metric) else "d",
                        _shadow_of(ask),
                        uuid4().hex,
                        to_microseconds(BEGINNING),
                        max(life, 1),
                        "",
                    ],
                )
                for key, ask, life in zip(keys, asks, lives, strict=True)
            ]
        )
        return [Expectation(epoch, token.decode()) for token in tokens]

    async def fill_shadows(
        self,
        merchant_id: str,
        filled: Sequence[tuple[UsageAsk, Expectation, Decimal]],
        vector: str,
    ) -> None:
        """Gives the announced shadows the values of one snapshot."""
        await self._call(
            [
                (
                    self._fill,
                    [customer_key(merchant_id, ask.who.customer_id)],
                    [
                        expectation.epoch,
                        _shadow_of(ask),
                        expectation.token,
                        *(parts_of(value) if adds_up(ask.metric) else (format(value, "f"), 0)),
                        vector,
                    ],
                )
                for ask, expectation, value in filled
            ]
        )

    async def pairs(self, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Pair | None]:
        """Each counter beside its shadow; None where one of them is not there any more, or nobody reads it."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.get(EPOCH_KEY)
        for ask in asks:
            names = ["e"]
            for counter in (counter_id(ask), _shadow_of(ask)):
                names += [f"v{counter}", f"i{counter}", f"f{counter}"]
            pipeline.hmget(customer_key(merchant_id, ask.who.customer_id), names)
        epoch, *rows = await pipeline.execute(raise_on_error=False)
        return [
            (
                _number(ask, row[1:4]),
                _number(ask, row[4:7]),
            )
            if isinstance(row, list)
            and row[0] == epoch
            and row[1] is not None
            and row[4] is not None
            else None
            for ask, row in zip(asks, rows, strict=True)
        ]

    async def forget_shadows(self, merchant_id: str, asks: Sequence[UsageAsk]) -> None:
        """Removes the shadows of these."""
        pipeline = self._redis.client.pipeline(transaction=False)
        for ask in asks:
            key = customer_key(merchant_id, ask.who.customer_id)
            pipeline.eval(_FORGET_SHADOW, 1, key, _scope_of(ask), _shadow_of(ask))
        await pipeline.execute()


def _scope_of(ask: UsageAsk) -> str:
    return counter_scope(ask.metric.id, ask.who.user_id or "")


def _shadow_of(ask: UsageAsk) -> str:
    return counter_id(ask) + _SHADOW


def _number(ask: UsageAsk, fields: Sequence[bytes | None]) -> Decimal | None:
    try:
        return value_of(ask, [None, *fields])
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        return None
