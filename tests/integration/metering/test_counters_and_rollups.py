"""What was told once is never taken back: fillings that overlap, and a Redis that fails for one server (ENT-4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from candela_server.catalog.model import Aggregation, Metric
from candela_server.customer.model import Customer
from candela_server.metering.bumps import NO_BUMPS
from candela_server.metering.cache import Expectation
from candela_server.metering.model import CountersUnsureError, IngestionUnavailableError, UsageAsk
from candela_server.metering.query_usage import aggregate_with_vector
from candela_server.metering.rules.bucket import to_microseconds
from candela_server.storage.changes import Changes
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres
from candela_server.storage.redis import Redis

from tests.helpers.proxy import Proxy
from tests.helpers.waiting import becomes, eventually
from tests.integration.metering.builders import Metering, event, start_metering, usage_of


@dataclass(frozen=True, slots=True)
class Filling:
    """A reader that has announced a counter and read the database, and comes to fill it only later."""

    metering: Metering
    ask: UsageAsk
    expected: list[Expectation]
    values: list[Decimal]
    vector: str

    @classmethod
    async def begin(cls, metering: Metering, ask: UsageAsk) -> Filling:
        expected = await metering.cache.expect(
            metering.merchant_id, [ask], to_microseconds(metering.clock.now())
        )
        values, vector = await aggregate_with_vector(
            metering.events, metering.merchant_id, [ask], now=metering.clock.now()
        )
        return cls(metering, ask, expected, values, vector)

    async def end(self) -> None:
        await self.metering.cache.fill(
            self.metering.merchant_id, [(self.ask, self.expected[0], self.values[0])], self.vector
        )


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A database of Valkey that no server of this session compares with its own flushes meanwhile."""
    opened = Redis(another_database(redis_url))
    await opened.client.flushdb()
    yield opened
    await opened.close()


def another_database(redis_url: str) -> str:
    server, _, number = redis_url.rpartition("/")
    return f"{server}/{1 + (int(number) + 6) % 15}"


@pytest.fixture
async def acme(metering: Metering) -> Customer:
    return await metering.add_customer()


@pytest.fixture
async def calls(metering: Metering) -> Metric:
    return await metering.add_metric("calls", Aggregation.COUNT)


@pytest.fixture
async def ask(metering: Metering, acme: Customer, calls: Metric) -> UsageAsk:
    return UsageAsk(metric=calls, who=usage_of(acme), window=metering.window())


async def kept(metering: Metering, ask: UsageAsk) -> Decimal | None:
    """What Redis alone would answer."""
    [value] = await metering.cache.read([(metering.merchant_id, ask)])
    return value


@pytest.mark.spec("ENT-4", "EVT-2")
async def test_counter_filled_while_another_reader_reads_for_it__keeps_the_events_since(
    metering: Metering, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    await metering.record(event("k1", acme))
    assert await metering.counter(calls, acme) == 1
    assert await kept(metering, ask) == 1
    # It saw the counter missing a moment ago, and announces it although it is filled by now.
    late = await Filling.begin(metering, ask)
    await metering.record(event("k2", acme))
    assert await kept(metering, ask) == 2

    await late.end()

    assert await kept(metering, ask) in (None, 2)
    assert await metering.counter(calls, acme) == 2
    await metering.record(event("k3", acme))
    assert await metering.counter(calls, acme) == 3


@pytest.mark.spec("ENT-4")
async def test_older_reading_that_fills_last__takes_nothing_back(
    metering: Metering, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    arrive = asyncio.Event()
    bump = metering.counters.bump

    async def slow_bump(*arguments: object) -> None:
        """A flush that is committed, and on its way to Redis."""
        await arrive.wait()
        await bump(*arguments)  # type: ignore[arg-type]

    await metering.record(event("k1", acme))
    early = await Filling.begin(metering, ask)
    metering.counters.bump = slow_bump  # type: ignore[method-assign]
    recording = asyncio.create_task(metering.record(event("k2", acme)))

    async def both_are_stored() -> bool:
        return await metering.usage(calls, acme) == 2

    await eventually(both_are_stored, "the second event is stored")
    # Another reader tells somebody 2, and that is what the next one must be told as well.
    assert await metering.counter(calls, acme) == 2
    await early.end()

    assert await kept(metering, ask) in (None, 2)
    assert await metering.counter(calls, acme) == 2
    arrive.set()
    await recording
    assert await metering.counter(calls, acme) == 2
    assert await metering.usage(calls, acme) == 2


@pytest.mark.spec("ENT-4")
async def test_older_reading_that_fills_first__is_replaced_by_the_newer(
    metering: Metering, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    await metering.record(event("k1", acme))
    early = await Filling.begin(metering, ask)

    async def die(*_: object) -> None:
        """A flush that is committed and does not arrive for long."""

    bump, metering.counters.bump = metering.counters.bump, die  # type: ignore[method-assign]
    await metering.record(event("k2", acme))
    metering.counters.bump = bump  # type: ignore[method-assign]
    later = await Filling.begin(metering, ask)

    await early.end()
    assert await kept(metering, ask) == 1  # nobody was told more yet
    await later.end()

    assert await kept(metering, ask) == 2
    await early.end()
    assert await kept(metering, ask) == 2


@pytest.mark.spec("ENT-4")
async def test_reading_of_an_epoch_that_is_over__leaves_no_older_counter_behind(
    metering: Metering, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    await metering.record(event("k1", acme))
    late = await Filling.begin(metering, ask)
    await metering.cache.change_epoch()
    early = await Filling.begin(metering, ask)  # of the new epoch, and yet read before the event

    async def die(*_: object) -> None:
        """A flush on its way."""

    metering.counters.bump = die  # type: ignore[method-assign]
    await metering.record(event("k2", acme))
    values, vector = await aggregate_with_vector(
        metering.events, metering.merchant_id, [ask], now=metering.clock.now()
    )
    await early.end()
    assert await kept(metering, ask) == 1

    await Filling(metering, ask, late.expected, values, vector).end()

    assert await kept(metering, ask) is None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers of one merchant; the second one reaches Redis through a proxy."""

    near: Metering
    far: Metering
    proxy: Proxy
    changes: list[Changes]


@pytest.fixture
async def pair(metering: Metering, redis_url: str) -> AsyncIterator[Pair]:
    port = urlsplit(redis_url).port
    assert port is not None
    with Proxy(port) as proxy:
        redis = Redis(proxy.url(another_database(redis_url)))
        far = await start_metering(
            metering.db, metering.events, metering.clock, redis, metering.merchant_id
        )
        metering.more.append(far)
        heard = []
        for one in (metering, far):
            changes = Changes(one.db, lambda *_: None, one.counters.doubt, one.counters.distrust)
            one.counters.join(changes.is_current, changes.warn_of_counters)
            await changes.start()
            heard.append(changes)
        yield Pair(metering, far, proxy, heard)
        for changes in heard:
            await changes.close()
        await redis.close()


async def until_trusted(metering: Metering) -> None:
    await becomes(metering.counters.trusted, "the counters are trusted")


@pytest.mark.hanging
@pytest.mark.spec("ENT-4", "EVT-2")
async def test_redis_gone_for_the_server_that_takes_events__the_other_counts_them_at_once(
    pair: Pair, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    await until_trusted(pair.near)
    await pair.far.record(event("k0", acme))
    assert await pair.near.counter(calls, acme) == 1
    assert await kept(pair.near, ask) == 1
    pair.proxy.swallow()

    for number in range(1, 11):
        await pair.far.record(event(f"k{number}", acme))
        assert await pair.near.counter(calls, acme) == 1 + number
        assert await pair.far.counter(calls, acme) == 1 + number

    pair.proxy.heal()
    await until_trusted(pair.far)
    await pair.far.record(event("k11", acme))
    assert await pair.near.counter(calls, acme) == 12


@pytest.mark.hanging
@pytest.mark.spec("ENT-4", "EVT-2")
async def test_others_cannot_be_told_either__the_events_are_not_acknowledged(
    pair: Pair, acme: Customer, calls: Metric
) -> None:
    await until_trusted(pair.far)

    async def fail() -> None:
        """PostgreSQL went away between the commit and the warning."""
        raise DatabaseUnavailableError

    pair.far.counters.join(lambda: True, fail)
    pair.proxy.swallow()
    with pytest.raises(IngestionUnavailableError):
        await pair.far.record(event("k1", acme))
    with pytest.raises(CountersUnsureError):
        await pair.far.counters.bump(1, 1, NO_BUMPS)
    # Sent again too early: it is there, and the others still do not know.
    with pytest.raises(IngestionUnavailableError):
        await pair.far.record(event("k1", acme))

    pair.proxy.heal()
    await until_trusted(pair.far)
    # Sent again, as the client does: it is there once.
    await pair.far.record(event("k1", acme))
    assert await pair.near.counter(calls, acme) == 1
    assert await pair.far.counter(calls, acme) == 1


@pytest.mark.spec("ENT-4", "EVT-2")
async def test_server_that_could_not_listen__compares_before_it_reads_counters_again(
    pair: Pair, db: Postgres, acme: Customer, calls: Metric, ask: UsageAsk
) -> None:
    await until_trusted(pair.near)
    await pair.far.record(event("k0", acme))
    assert await pair.near.counter(calls, acme) == 1

    async def die(*_: object) -> None:
        """What a server does whose Redis failed, and whose warning was missed."""

    pair.far.counters.bump = die  # type: ignore[method-assign]
    await pair.far.record(event("k1", acme))
    assert await kept(pair.near, ask) == 1
    pair.near.counters.doubt()  # what a lost connection causes

    assert await pair.near.counter(calls, acme) == 2
    await until_trusted(pair.near)
    assert await pair.near.counter(calls, acme) == 2
    assert await kept(pair.near, ask) == 2
