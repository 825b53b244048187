"""The live counters: as right as the database, whatever happens to Redis (ENT-4, faults 4, 17-21)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.interval import Interval
from candela_server.metering.bumps import Bumps
from candela_server.metering.cache import CounterCache
from candela_server.metering.model import UsageAsk
from candela_server.metering.rules.folding import Folded, Share
from candela_server.metering.rules.metric_reading import read_metrics

from tests.helpers.waiting import eventually
from tests.integration.metering.builders import Metering, event, start_metering, usage_of

_writers = count()


async def _hits(metering: Metering, asks: Sequence[UsageAsk]) -> list[Decimal | None]:
    """What Redis alone would answer."""
    return await metering.cache.read([(metering.merchant_id, ask) for ask in asks])


@pytest.mark.spec("ENT-4")
async def test_a_filled_counter__follows_every_event_without_the_database(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    await metering.record(event("k0", acme, "0.75"))
    ask = UsageAsk(metric=tokens, who=usage_of(acme), window=metering.window())
    assert await metering.counter(tokens, acme) == Decimal("0.75")
    await _until_filled(metering, ask)

    for number, value in enumerate(
        ["0.25", "-3.5", "1000000000000.000000000001", "0.999999999999"]
    ):
        await metering.record(event(f"k{number + 1}", acme, value))

    want = Decimal("0.75") + Decimal("0.25") + Decimal("-3.5") + Decimal("1000000000001")
    assert await _hits(metering, [ask]) == [want]
    assert await metering.counter(tokens, acme) == want
    assert await metering.usage(tokens, acme) == want


@pytest.mark.spec("ENT-4", "KEY-2")
async def test_many_customers_asked_about_at_once_for_one_window__each_gets_their_own_usage(
    metering: Metering,
) -> None:
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    customers = [await metering.add_customer() for _ in range(8)]
    for number, customer in enumerate(customers):
        await metering.record(event(f"k{number}", customer, str(number)))

    async def at_once() -> list[Decimal]:
        asked = [metering.counter(tokens, customer) for customer in customers]
        return list(await asyncio.gather(*asked))

    await metering.redis.client.flushall()
    read, counted = await at_once(), await at_once()

    assert read == counted == [Decimal(number) for number in range(8)]


@pytest.mark.spec("ENT-4")
async def test_events_outside_the_window__leave_its_counter_alone(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    now = metering.clock.now()
    # Ends 7 minutes and 23 seconds into a quarter-hour, which events of one batch lie on both sides of.
    window = Interval(now - timedelta(days=2), now - timedelta(days=1) + timedelta(seconds=443))
    ask = UsageAsk(metric=calls, who=usage_of(acme), window=window)
    assert await metering.counter(calls, acme, window) == 0
    await _until_filled(metering, ask)

    await metering.record(
        event("before", acme, at=window.start_at - timedelta(microseconds=1)),
        event("start", acme, at=window.start_at),
        event("last", acme, at=window.end_at - timedelta(microseconds=1)),
        event("end", acme, at=window.end_at),
    )

    assert await metering.counter(calls, acme, window) == 2
    assert await metering.usage(calls, acme, window) == 2


@pytest.mark.spec("ENT-4")
async def test_metrics_that_do_not_add_up__are_read_anew_after_each_change(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    metrics = {
        aggregation: await metering.add_metric(aggregation.value, aggregation)
        for aggregation in (
            Aggregation.MIN,
            Aggregation.MAX,
            Aggregation.LAST,
            Aggregation.AVERAGE,
        )
    }
    unique = await metering.add_metric("unique", Aggregation.UNIQUE, property_name="model")
    now = metering.clock.now()
    await metering.record(
        event("a", acme, "5", at=now - timedelta(hours=2), properties={"model": "x"}),
        event("b", acme, "2", at=now - timedelta(hours=3), properties={"model": "y"}),
    )
    got = {name: await metering.counter(metric, acme) for name, metric in metrics.items()}
    assert list(got.values()) == [2, 5, 5, Decimal("3.5")]
    assert await metering.counter(unique, acme) == 2

    await metering.record(
        event("c", acme, "9", at=now - timedelta(hours=4), properties={"model": "x"}),
        event("d", acme, "-2", at=now - timedelta(hours=1), properties={"model": "z"}),
        event("e", acme, "0", at=now - timedelta(hours=5)),
    )

    got = {name: await metering.counter(metric, acme) for name, metric in metrics.items()}
    assert list(got.values()) == [-2, 9, -2, Decimal("2.8")]
    assert await metering.counter(unique, acme) == 3


@pytest.mark.spec("ENT-4")
async def test_a_crash_between_commit_and_bump__is_found_and_repaired(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    ask = UsageAsk(metric=calls, who=usage_of(acme), window=metering.window())
    await metering.record(event("k1", acme))
    assert await metering.counter(calls, acme) == 1
    await _until_filled(metering, ask)

    async def die(writer: int, sequence: int, bumps: Bumps) -> None:
        """What a killed process does after its commit."""

    metering.counters.bump = die  # type: ignore[method-assign]
    await metering.record(event("k2", acme))
    assert await _hits(metering, [ask]) == [1]  # the lost increment

    # The next process looks when it starts.
    survivor = await start_metering(
        metering.db, metering.events, metering.clock, metering.redis, metering.merchant_id
    )
    metering.more.append(survivor)

    assert await _hits(metering, [ask]) == [None]
    assert await survivor.counter(calls, acme) == 2
    await survivor.record(event("k3", acme))
    assert await survivor.counter(calls, acme) == 3
    assert not await survivor.counters.reconcile(grace=timedelta(0))


@pytest.mark.spec("ENT-4")
@pytest.mark.parametrize("has_counters", [True, False])
@pytest.mark.parametrize("customers", [0, 1, 1_500])
async def test_a_flush__is_noted_whoever_has_counters_and_one_that_never_arrived_is_missed(
    metering: Metering, has_counters: bool, customers: int
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    if has_counters:
        ask = UsageAsk(metric=tokens, who=usage_of(acme), window=metering.window())
        await metering.counter(tokens, acme)
        await _until_filled(metering, ask)
    changed = [f"cus_{number}" for number in range(1, customers)] + [acme.id] * (customers > 0)
    nothing = Share(0, bytes(16), Decimal(0))
    folded = Folded(shares={(one, tokens.id, "", 0): nothing for one in changed})
    told = Bumps({metering.merchant_id: folded}, {metering.merchant_id: read_metrics([tokens])})
    writer = 1_000_000 + next(_writers)

    assert await metering.cache.bump(writer, 1, told)
    assert await metering.cache.bump(writer, 1, told)
    assert await metering.cache.bump(writer, 2, told)
    assert not await metering.cache.bump(writer, 4, told)

    assert (await metering.cache.applied())[writer] == 4


@pytest.mark.spec("ENT-4")
async def test_a_flushed_redis__is_filled_again(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("k1", acme))
    assert await metering.counter(calls, acme) == 1

    await metering.redis.client.flushdb()
    assert await metering.counter(calls, acme) == 1
    await metering.record(event("k2", acme))
    await metering.redis.client.flushdb()
    await metering.record(event("k3", acme))

    assert await metering.counter(calls, acme) == 3


@pytest.mark.spec("ENT-4")
async def test_without_redis__the_rollups_answer(metering: Metering) -> None:
    from candela_server.metering.read_counters import Counters
    from candela_server.storage.redis import Redis

    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    nowhere = Redis("redis://127.0.0.1:1/0")
    counters = Counters(CounterCache(nowhere), metering.events, metering.clock)
    await counters.start()
    ask = UsageAsk(metric=calls, who=usage_of(acme), window=metering.window())

    await metering.record(event("k1", acme))
    got = await asyncio.gather(*[counters.read(metering.merchant_id, [ask]) for _ in range(20)])

    assert got == [[Decimal(1)]] * 20
    await counters.stop()
    await nowhere.close()


@pytest.mark.spec("ENT-4", "EVT-2")
async def test_counters_read_and_filled_while_events_flow__never_lose_and_never_double(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    other = await start_metering(
        metering.db, metering.events, metering.clock, metering.redis, metering.merchant_id
    )
    metering.more.append(other)
    acknowledged = Decimal(0)
    writing = True

    async def write(server: Metering, prefix: str) -> None:
        nonlocal acknowledged
        for number in range(60):
            await server.record(event(f"{prefix}{number}", ada, "1.5"))
            acknowledged += Decimal("1.5")

    async def forget() -> None:
        while writing:
            await asyncio.sleep(0.01)
            for key in await metering.redis.client.keys("candela:usage:{*"):
                await metering.redis.client.delete(key)

    async def read(server: Metering) -> None:
        while writing:
            before = acknowledged
            got = await server.counter(tokens, acme)
            # Everything acknowledged before the question is in the answer, and nothing twice.
            assert before <= got <= acknowledged + 6

    forgetting = asyncio.create_task(forget())
    reading = [asyncio.create_task(read(server)) for server in (metering, other)]
    await asyncio.gather(
        *[write(metering, "a"), write(metering, "b"), write(other, "c"), write(other, "d")]
    )
    writing = False
    await asyncio.gather(forgetting, *reading)

    want = Decimal(4 * 60) * Decimal("1.5")
    assert acknowledged == want
    assert await metering.counter(tokens, acme) == want
    assert await other.counter(tokens, ada) == want
    assert await metering.usage(tokens, acme) == want


async def _until_filled(metering: Metering, ask: UsageAsk) -> None:
    """The filling happens after the answer; waits for it."""

    async def is_filled() -> bool:
        return await _hits(metering, [ask]) != [None]

    await eventually(is_filled, "the counter is filled")
