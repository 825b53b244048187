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
from hashlib import blake2b, sha1
from importlib import resources
from typing import Any, Final, TypeAlias
from uuid import uuid4

from redis.exceptions import NoScriptError, RedisError, ResponseError

from candela_server.kernel.money import exact
from candela_server.storage.redis import Redis

from .model import UsageAsk
from .rules.aggregation import BEGINNING, adds_up, carries_in, plain
from .rules.bucket import to_microseconds

Vector: TypeAlias = str
"""",writer=sequence,writer=sequence": the last committed flush of each writer in one snapshot."""

CounterError = RedisError

EPOCH_KEY: Final = "candela:usage:epoch"
COUNTER_KEYS: Final = "candela:usage:{"
"""How the keys of all customers' hashes begin."""
_APPLIED_KEY: Final = "candela:usage:applied"

_LIFE: Final = timedelta(days=2)
"""How long a customer's counters stay after the last one was filled; idle customers cost nothing."""

_FORGET_AFTER: Final = timedelta(days=1)
"""How long after its end a window is kept up to date: drafts of the last period still ask for it."""

_CUSTOMERS_PER_SCRIPT: Final = 128
"""Customers in one call of a script: few round trips, and no other client waits longer than a millisecond."""

_CUSTOMERS_PER_QUESTION: Final = 1_000
"""Customers of whom one call asks whether they have counters at all."""

_PLACES: Final = 1_000_000_000_000
_MAX_WHOLE: Final = 4_000_000_000_000_000_000
"""Whole parts beyond this are not kept here: a 64-bit counter could overflow. The rollups answer for them."""


@dataclass(frozen=True, slots=True)
class Span:
    """What one flush adds to a scope between two instants, both inclusive, in microseconds."""

    first_us: int
    last_us: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bump:
    """What one flush adds to the counters of one customer, by (metric, user); user "" is the whole customer."""

    merchant_id: str
    customer_id: str
    scopes: dict[tuple[str, str], list[Span]]


@dataclass(frozen=True, slots=True)
class Expectation:
    """An announced filling of one counter."""

    epoch: str
    token: str


class CounterCache:
    """The counters' keys and scripts. Every method raises CounterError when Redis cannot answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._bump = _script("bump_counters.lua")
        self._expect = _script("expect_counter.lua")
        self._fill = _script("fill_counter.lua")
        self._note = _script("note_flush.lua")
        self._present = _script("present_counters.lua")

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
        calls: list[_Call] = [
            (
                self._expect,
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
        return [Expectation(epoch, _text(token)) for token in await self._call(calls)]

    async def fill(
        self,
        merchant_id: str,
        filled: Sequence[tuple[UsageAsk, Expectation, Decimal]],
        vector: Vector,
    ) -> None:
        """Gives announced counters the values of one snapshot and its vector; leaves none that is older than those."""
        calls: list[_Call] = []
        for ask, expectation, value in filled:
            counter: list[str | int] = [format(value, "f"), 0]
            if adds_up(ask.metric):
                counter = [*parts_of(value)]
                if abs(parts_of(value)[0]) > _MAX_WHOLE:
                    continue
            calls.append(
                (
                    self._fill,
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
        await self._call(calls)

    async def bump(self, writer: int, sequence: int, bumps: Sequence[Bump]) -> bool:
        """Adds one committed flush. False when an earlier flush of the writer never arrived here.

        Customers without counters are left out, found by one question before. A counter that is announced after the
        answer is filled from a snapshot that contains this flush, which was committed before the question.
        """
        bumps = await self._with_counters(bumps)
        calls: list[_Call] = []
        for start in range(0, len(bumps), _CUSTOMERS_PER_SCRIPT):
            some = bumps[start : start + _CUSTOMERS_PER_SCRIPT]
            arguments: list[str | int] = [writer, sequence]
            for bump in some:
                arguments.append(len(bump.scopes))
                for (metric_id, user_id), spans in bump.scopes.items():
                    arguments += (counter_scope(metric_id, user_id), len(spans))
                    for span in spans:
                        arguments += (span.first_us, span.last_us, *parts_of(span.amount))
            keys = [customer_key(bump.merchant_id, bump.customer_id) for bump in some]
            calls.append((self._bump, keys, arguments))
        calls.append((self._note, [_APPLIED_KEY], [writer, sequence]))
        return bool((await self._call(calls))[-1])

    async def _with_counters(self, bumps: Sequence[Bump]) -> list[Bump]:
        kept: list[Bump] = []
        calls: list[_Call] = []
        for start in range(0, len(bumps), _CUSTOMERS_PER_QUESTION):
            some = bumps[start : start + _CUSTOMERS_PER_QUESTION]
            keys = [customer_key(bump.merchant_id, bump.customer_id) for bump in some]
            calls.append((self._present, keys, []))
        if calls:
            answers = [one for some in await self._call(calls) for one in some]
            kept = [bump for bump, one in zip(bumps, answers, strict=True) if one]
        return kept

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
            found = await self._redis.client.hgetall(_APPLIED_KEY)
        except ResponseError as error:
            if not _is_wrong_type(error):
                raise
            return {}
        return {int(writer): int(sequence) for writer, sequence in found.items()}

    async def note(self, writer: int, sequence: int) -> None:
        """Notes that the flush needs no bump any more, because the epoch has changed since."""
        await self._call([(self._note, [_APPLIED_KEY], [writer, sequence])])

    async def forget(self, writers: Sequence[int]) -> None:
        """Removes the notes of writers that the database has forgotten."""
        if writers:
            await self._redis.client.hdel(_APPLIED_KEY, *writers)

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
        return _text(epoch)

    async def _call(self, calls: Sequence[_Call]) -> list[Any]:
        """Runs scripts in one round trip; teaches them to a Redis that does not know them. Every script may be run
        again after a part of the calls was done: each knows what it did already."""
        try:
            return await self._call_known(calls)
        except NoScriptError:
            for script in (self._bump, self._expect, self._fill, self._note, self._present):
                await self._redis.client.script_load(script.text)
            return await self._call_known(calls)

    async def _call_known(self, calls: Sequence[_Call]) -> list[Any]:
        pipeline = self._redis.client.pipeline(transaction=False)
        for script, keys, arguments in calls:
            pipeline.evalsha(script.sha, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute()
        return answers


@dataclass(frozen=True, slots=True)
class _Script:
    """A Lua script and the name that Redis gives it."""

    text: str
    sha: str


_Call: TypeAlias = tuple[_Script, list[str], list[str | int]]


AskKey: TypeAlias = tuple[str, str, str]
"""What makes two asks equal: merchant, customer, and the counter's name, which other customers' have as well."""


def key_of(merchant_id: str, ask: UsageAsk) -> AskKey:
    """Equal for equal asks, and for no others."""
    return merchant_id, ask.who.customer_id, counter_id(ask)


def counter_id(ask: UsageAsk) -> str:
    """A short name of the counter inside its customer's hash; in another customer's it names another counter."""
    name = f"{ask.metric.id}|{ask.who.user_id or ''}|{ask.window.start_at}|{ask.window.end_at}"
    return blake2b(name.encode(), digest_size=8).hexdigest()


def customer_key(merchant_id: str, customer_id: str) -> str:
    """The hash of all of a customer's counters."""
    # The braces keep a customer's keys in one slot of a cluster.
    return f"candela:usage:{{{merchant_id}:{customer_id}}}"


def first_us(ask: UsageAsk) -> int:
    """From which instant on an event changes the counter: from the beginning, where what was before is carried in."""
    if carries_in(ask.metric):
        return to_microseconds(BEGINNING)
    return to_microseconds(ask.window.start_at)


def counter_scope(metric_id: str, user_id: str) -> str:
    """What a customer's hash calls the usage of one metric, by the whole customer or by one of its users."""
    return f"{metric_id}|{user_id}"


def parts_of(value: Decimal) -> tuple[int, int]:
    """The floor of a value and the rest in 1e-12: -0.5 is -1 and 500000000000."""
    with exact():
        return divmod(int(value.scaleb(12)), _PLACES)


def value_of(ask: UsageAsk, row: Sequence[Any]) -> Decimal:
    """The number of a counter, read as epoch, vector, whole part and fraction."""
    if not adds_up(ask.metric):
        return Decimal(_text(row[2]))
    with exact():
        return plain(Decimal(int(row[2]) * _PLACES + int(row[3])).scaleb(-12))


def _is_wrong_type(error: ResponseError) -> bool:
    """Whether a key holds what somebody else wrote there."""
    return str(error).startswith("WRONGTYPE")


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _script(name: str) -> _Script:
    text = (resources.files(__package__) / name).read_text()
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
