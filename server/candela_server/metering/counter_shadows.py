"""Shadows of live counters, with which these can be compared while they move (ENT-4).

A shadow is a second counter of the same scope and window. It is filled as every counter is, from one snapshot of the
database, and bumped by the same scripts in the same steps; so once all flushes of that snapshot have arrived, it and
the counter beside it must hold the same number, however many events are flushed meanwhile. Two who compare one counter
at the same time share its shadow, or one of them finds it gone; it never misleads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from importlib import resources
from typing import Final, TypeAlias
from uuid import uuid4

from .cache import CounterCache, Expectation
from .counter_names import (
    EPOCH_KEY,
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

COMPARING_KEY: Final = "candela:usage:walk"
"""The hash of what all comparisons found, and of where the walk over all counters stands."""

_SHADOW: Final = "~"
_FORGET_SHADOW: Final = (resources.files(__package__) / "forget_shadow.lua").read_text()

Pair: TypeAlias = tuple[Decimal | None, Decimal | None]
"""A counter and its shadow, as of one instant; None for what is no number."""


class CounterShadows(CounterCache):
    """Makes, reads and forgets shadows, and counts what comparing with them found. Every method raises CounterError
    when Redis cannot answer."""

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
        tokens = await self._scripts.run(
            [
                (
                    self._scripts.expect,
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
        await self._scripts.run(
            [
                (
                    self._scripts.fill,
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

    async def count(self, *, compared: int, drifted: int) -> None:
        """Counts what was compared, and what of it had drifted."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.hincrby(COMPARING_KEY, "compared", compared)
        pipeline.hincrby(COMPARING_KEY, "drifted", drifted)
        await pipeline.execute()

    async def counts(self) -> tuple[int, int]:
        """How many counters were ever compared, and how many of them had drifted; as long as this Redis remembers."""
        found = await self._redis.client.hmget(COMPARING_KEY, ["compared", "drifted"])
        return int(found[0] or 0), int(found[1] or 0)


def is_shadow(counter: str) -> bool:
    """Whether a name that a customer's hash uses is not a counter's, but its shadow's."""
    return counter.endswith(_SHADOW)


def _scope_of(ask: UsageAsk) -> str:
    return counter_scope(ask.metric.id, ask.who.user_id or "")


def _shadow_of(ask: UsageAsk) -> str:
    return counter_id(ask) + _SHADOW


def _number(ask: UsageAsk, fields: Sequence[bytes | None]) -> Decimal | None:
    try:
        return value_of(ask, [None, *fields])
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        return None
