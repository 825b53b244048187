"""Live counters in Redis: what a check reads instead of the rollups (ENT-4). Redis is never the truth.

All counters of a customer live in one hash, so that they are evicted together or not at all, and one script sees
both the counters and the windows that say which of them an event touches:

    e          the epoch the hash belongs to; another epoch than the current one means that the hash is worthless
    r:<scope>  the windows somebody asked for, of the scope "metric|user" ("" is the whole customer)
    i<id> f<id>  the counter, as a whole number and a count of 1e-12, both exact 64-bit integers;
               for metrics that cannot be added to, i<id> is the value itself as text and any event drops it
    v<id>      the vector: up to which flush of each writer the counter contains events; missing: not filled
    p<id>      the announcement of a filling: its token, then the flushes since
    w<id>      where the window of a counter begins whose usage begins before it

No increment is lost and none counts twice, because every flush is numbered in its own database transaction, a
counter is filled with a value and the numbers of one snapshot, and a flush is added only to counters whose vector
does not contain it. What this cannot see, a process that died between its commit and its bump or a Redis that lost
writes, is found by comparing the numbers in the database with those noted here; then the epoch changes and every
counter reads as missing. Lua holds numbers as doubles; so they are added by HINCRBY only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import uuid4

from redis.exceptions import RedisError, ResponseError

from candela_server.storage.redis import Redis

from .bumps import Bumps, CustomerOf
from .counter_names import (
    APPLIED_KEY,
    EPOCH_KEY,
    as_text,
    counter_id,
    counter_scope,
    customer_key,
    first_us,
    parts_of,
    value_of,
)
from .counter_scripts import Call, CounterScripts
from .model import UsageAsk
from .rules.aggregation import adds_up, carries_in
from .rules.bucket import to_microseconds

Vector: TypeAlias = str
"""",writer=sequence,writer=sequence": the last committed flush of each writer in one snapshot."""

CounterError = RedisError

_LIFE: Final = timedelta(days=2)
"""How long a customer's counters stay after the last one was filled; idle customers cost nothing."""

_FORGET_AFTER: Final = timedelta(days=1)
"""How long after its end a window is kept up to date: drafts of the last period still ask for it."""

_CUSTOMERS_PER_SCRIPT: Final = 128
"""Customers in one call of a script: few round trips, and no other client waits longer than a millisecond."""

_CUSTOMERS_PER_QUESTION: Final = 1_000
"""Customers of whom one call asks whether they have counters at all."""

_MAX_WHOLE: Final = 4_000_000_000_000_000_000
"""Whole parts beyond this are not kept here: a 64-bit counter could overflow. The rollups answer for them."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """An announced filling of one counter."""

    epoch: str
    token: str


class CounterCache:
    """The counters' keys and scripts. Every method raises CounterError when Redis cannot answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = CounterScripts(redis)

    @property
    def redis(self) -> Redis:
        """Where the counters are."""
        return self._redis

    @property
    def available(self) -> bool:
        """Whether Redis answered lately."""
        return self._redis.available

    async def read(self, asks: Sequence[tuple[str, UsageAsk]]) -> list[Decimal | None]:
        """Each counter's value or None, of any merchants' asks; one round trip for all."""
        # Equal asks, as a busy customer's are, travel once.
        counters: dict[tuple[str, str], UsageAsk] = {}
        keys = [
            (customer_key(merchant_id, ask.who.customer_id), counter_id(ask))
            for merchant_id, ask in asks
        ]
        for key, (_, ask) in zip(keys, asks, strict=True):
            counters.setdefault(key, ask)
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.get(EPOCH_KEY)
        for key_of_customer, counter in counters:
            pipeline.hmget(key_of_customer, ["e", f"v{counter}", f"i{counter}", f"f{counter}"])
        # A key of another kind, which somebody else wrote, is an error of its own and no counter; others are not hurt.
        epoch, *rows = await pipeline.execute(raise_on_error=False)
        values = {
            key: value_of(ask, row)
            if isinstance(epoch, bytes)
            and isinstance(row, list)
            and row[0] == epoch
            and row[1] is not None
            else None
            for (key, ask), row in zip(counters.items(), rows, strict=True)
        }
        return [values[key] for key in keys]

    async def expect(
        self, merchant_id: str, asks: Sequence[UsageAsk], now_us: int
    ) -> list[Expectation]:
        """Announces the filling of counters; must come before the snapshot they are filled from."""
        epoch = await self._epoch()
        forget_before_us = now_us - _FORGET_AFTER // timedelta(microseconds=1)
        calls: list[Call] = [
            (
                self._scripts.expect,
                [customer_key(merchant_id, ask.who.customer_id)],
                [
                    epoch,
                    counter_scope(ask.metric.id, ask.who.user_id or ""),
                    first_us(ask),
                    to_microseconds(ask.window.end_at),
                    "a" if adds_up(ask.metric) else "d",
                    counter_id(ask),
                    uuid4().hex,
                    forget_before_us,
                    int(_LIFE.total_seconds()),
                    to_microseconds(ask.window.start_at) if carries_in(ask.metric) else "",
                ],
            )
            for ask in asks
        ]
        return [Expectation(epoch, as_text(token)) for token in await self._scripts.run(calls)]

    async def fill(
        self,
        merchant_id: str,
        filled: Sequence[tuple[UsageAsk, Expectation, Decimal]],
        vector: Vector,
    ) -> None:
        """Gives announced counters the values of one snapshot and its vector; leaves none that is older than those."""
        calls: list[Call] = []
        for ask, expectation, value in filled:
            counter: list[str | int] = [format(value, "f"), 0]
            if adds_up(ask.metric):
                counter = [*parts_of(value)]
                if abs(parts_of(value)[0]) > _MAX_WHOLE:
                    continue
            calls.append(
                (
                    self._scripts.fill,
                    [customer_key(merchant_id, ask.who.customer_id)],
                    [
                        expectation.epoch,
                        counter_id(ask),
                        expectation.token,
                        *counter,
                        vector,
                    ],
                )
            )
        await self._scripts.run(calls)

    async def bump(self, writer: int, sequence: int, bumps: Bumps) -> bool:
        """Adds one committed flush. False when an earlier flush of the writer never arrived here.

        Customers without counters are left out, found by one question before. A counter that is announced after the
        answer is filled from a snapshot that contains this flush, which was committed before the question.
        """
        customers = bumps.customers()
        if len(customers) <= _CUSTOMERS_PER_QUESTION:
            customers, complete = await self._with_counters_or_noted(writer, sequence, customers)
            if complete is not None:
                return complete
        else:
            customers = await self._with_counters(customers)
        made = bumps.of(customers)
        calls: list[Call] = []
        for start in range(0, len(made), _CUSTOMERS_PER_SCRIPT):
            some = made[start : start + _CUSTOMERS_PER_SCRIPT]
            arguments: list[str | int] = [writer, sequence]
            for bump in some:
                arguments.append(len(bump.scopes))
                for (metric_id, user_id), spans in bump.scopes.items():
                    arguments += (counter_scope(metric_id, user_id), len(spans))
                    for span in spans:
                        arguments += (span.first_us, span.last_us, *parts_of(span.amount))
            keys = [customer_key(bump.merchant_id, bump.customer_id) for bump in some]
            calls.append((self._scripts.bump, keys, arguments))
        calls.append((self._scripts.note, [APPLIED_KEY], [writer, sequence]))
        return bool((await self._scripts.run(calls))[-1])

    async def _with_counters_or_noted(
        self, writer: int, sequence: int, customers: list[CustomerOf]
    ) -> tuple[list[CustomerOf], bool | None]:
        """Who has counters. When nobody has, the flush is noted in the same round trip, with what that answers."""
        [answers] = await self._scripts.run([self._question(customers, [writer, sequence])])
        kept = _kept(customers, answers[: len(customers)])
        return kept, None if kept else bool(answers[-1])

    async def _with_counters(self, customers: list[CustomerOf]) -> list[CustomerOf]:
        calls = [
            self._question(customers[start : start + _CUSTOMERS_PER_QUESTION], [])
            for start in range(0, len(customers), _CUSTOMERS_PER_QUESTION)
        ]
        return _kept(customers, [one for some in await self._scripts.run(calls) for one in some])

    def _question(self, customers: list[CustomerOf], arguments: list[str | int]) -> Call:
        keys = [customer_key(*who) for who in customers]
        return self._scripts.present, [APPLIED_KEY, *keys], arguments

    async def drop(self, merchant_id: str, customer_ids: Iterable[str]) -> None:
        """Removes all counters of some customers; fillings that were announced before come to nothing."""
        pipeline = self._redis.client.pipeline(transaction=False)
        for customer_id in customer_ids:
            pipeline.delete(customer_key(merchant_id, customer_id))
        await pipeline.execute()

    async def change_epoch(self) -> None:
        """Makes every counter read as missing."""
        await self._redis.client.set(EPOCH_KEY, uuid4().hex)

    async def applied(self) -> dict[int, int]:
        """The last flush of each writer that reached the counters."""
        try:
            found = await self._redis.client.hgetall(APPLIED_KEY)
        except ResponseError as error:
            if not _is_wrong_type(error):
                raise
            return {}
        return {int(writer): int(sequence) for writer, sequence in found.items()}

    async def note(self, writer: int, sequence: int) -> None:
        """Notes that the flush needs no bump any more, because the epoch has changed since."""
        await self._scripts.run([(self._scripts.note, [APPLIED_KEY], [writer, sequence])])

    async def forget(self, writers: Sequence[int]) -> None:
        """Removes the notes of writers that the database has forgotten."""
        if writers:
            await self._redis.client.hdel(APPLIED_KEY, *writers)

    async def _epoch(self) -> str:
        """The current epoch; a Redis that has none, because it is new, empty or flushed, is given one."""
        try:
            epoch = await self._redis.client.get(EPOCH_KEY)
        except ResponseError as error:
            if not _is_wrong_type(error):
                raise
            await self.change_epoch()
            epoch = None
        if epoch is None:
            await self._redis.client.set(EPOCH_KEY, uuid4().hex, nx=True)
            epoch = await self._redis.client.get(EPOCH_KEY)
        if epoch is None:
            raise CounterError("Redis does not keep what it is given")
        return as_text(epoch)


def _kept(customers: list[CustomerOf], answers: Sequence[int]) -> list[CustomerOf]:
    return [who for who, present in zip(customers, answers, strict=True) if present]


def _is_wrong_type(error: ResponseError) -> bool:
    """Whether a key holds what somebody else wrote there."""
    return str(error).startswith("WRONGTYPE")
