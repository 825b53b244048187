"""The job that goes over all live counters: finds each that drifted, and cries for none that did not (ENT-4)."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from candela_server.catalog.model import Aggregation, Metric
from candela_server.customer.model import Customer, User
from candela_server.edge.http.counter_drift import counter_drift
from candela_server.metering import compare_counters, tasks
from candela_server.metering.counter_names import counter_id, customer_key
from candela_server.metering.counter_walk import CounterWalk
from candela_server.metering.model import UsageAsk
from candela_server.metering.sweep_counters import Swept, sweep_counters

from tests.integration.metering.builders import Metering, event, usage_of


async def _sweep(metering: Metering, walk: CounterWalk, at_most: int = 10_000) -> Swept:
    return await sweep_counters(
        metering.db, metering.events, walk, metering.clock, at_most=at_most, believed_after_s=0.05
    )


def _ask(metering: Metering, metric: Metric, who: Customer | User) -> UsageAsk:
    return UsageAsk(metric=metric, who=usage_of(who), window=metering.window())


async def _spoil(metering: Metering, ask: UsageAsk, field: str, value: str) -> None:
    key = customer_key(metering.merchant_id, ask.who.customer_id)
    await metering.redis.client.hset(key, f"{field}{counter_id(ask)}", value)


@pytest.mark.spec("ENT-4")
async def test_counters_that_were_spoiled__are_found_wherever_they_are_and_made_anew(
    metering: Metering, walk: CounterWalk
) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    ada = await metering.add_user(acme)
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    largest = await metering.add_metric("largest", Aggregation.MAX)
    stock = await metering.add_metric("stock", Aggregation.SUM, gauge=True)
    await metering.record(
        event("k1", ada, "2.5"), event("k2", acme, "-0.25"), event("k3", umbra, "7")
    )
    asks = [
        _ask(metering, metric, who)
        for metric in (calls, tokens, largest, stock)
        for who in (acme, ada, umbra)
    ]
    want = await metering.counters.read(metering.merchant_id, asks)

    sound = await _sweep(metering, walk)
    assert (sound.compared, sound.drifted, sound.skipped, sound.ended) == (len(asks), 0, 0, True)

    # One of the user's, one of a metric that is not added to, a gauge's; and one that holds no number at all.
    spoiled = [asks[4], asks[6], asks[11], asks[2]]
    for ask, (field, value) in zip(
        spoiled, [("i", "3"), ("i", "99"), ("f", "1"), ("i", "x")], strict=True
    ):
        await _spoil(metering, ask, field, value)
    with capture_logs() as logs:
        found = await _sweep(metering, walk)

    assert found.drifted == len(spoiled)
    told = [one for one in logs if one["event"] == "counter_drift"]
    assert {(one["metric_id"], one["customer_id"], one["user_id"]) for one in told} == {
        (ask.metric.id, ask.who.customer_id, ask.who.user_id) for ask in spoiled
    }
    assert await metering.counters.read(metering.merchant_id, asks) == want
    again = await _sweep(metering, walk)
    assert (again.compared, again.drifted) == (len(asks), 0)
    assert await walk.counts() == (3 * len(asks), len(spoiled))


@pytest.mark.spec("ENT-4")
async def test_counter_that_no_flush_would_find__is_dropped(
    metering: Metering, walk: CounterWalk
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("k1", acme))
    assert await metering.counter(calls, acme) == 1
    key = customer_key(metering.merchant_id, acme.id)
    await metering.redis.client.hdel(key, f"r:{calls.id}|")
    await metering.record(event("k2", acme))
    assert await metering.counter(calls, acme) == 1, "the counter misses the event"

    found = await _sweep(metering, walk)

    assert found.drifted == 1
    assert await metering.counter(calls, acme) == 2


@pytest.mark.spec("ENT-4")
async def test_events_that_come_all_the_while__are_no_drift_and_hide_none(
    metering: Metering, walk: CounterWalk
) -> None:
    customers = [await metering.add_customer() for _ in range(4)]
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    largest = await metering.add_metric("largest", Aggregation.MAX)
    asks = [_ask(metering, metric, who) for metric in (tokens, largest) for who in customers]
    stopping = asyncio.Event()
    recorded = [0] * 3

    async def record(task: int) -> None:
        while not stopping.is_set():
            recorded[task] += 1
            name = f"{task}-{recorded[task]}"
            await metering.record(
                *[event(f"{name}-{place}", who, "1.5") for place, who in enumerate(customers)]
            )

    async def check() -> None:
        while not stopping.is_set():
            await metering.counters.read(metering.merchant_id, asks)
            await asyncio.sleep(0.002)

    await metering.counters.read(metering.merchant_id, asks)
    busy = [asyncio.create_task(record(task)) for task in range(3)]
    busy.append(asyncio.create_task(check()))
    compared = 0
    try:
        for _ in range(25):
            with capture_logs() as logs:
                done = await _sweep(metering, walk)
            assert done.drifted == 0, logs
            compared += done.compared
        # The sums are always there to be compared, hot as they are.
        assert compared >= 50
        before = sum(recorded)
        key = customer_key(metering.merchant_id, customers[2].id)
        await metering.redis.client.hincrby(key, f"i{counter_id(asks[2])}", 1)
        found = await _sweep(metering, walk)
        assert sum(recorded) > before
    finally:
        stopping.set()
        await asyncio.gather(*busy)

    assert found.drifted == 1
    want = Decimal("1.5") * sum(recorded)
    assert await metering.counters.read(metering.merchant_id, asks[:4]) == [want] * 4


@pytest.mark.spec("ENT-4")
async def test_a_run_that_may_compare_few__goes_on_where_it_ended_and_leaves_nothing_behind(
    metering: Metering, walk: CounterWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_counters, "TOGETHER", 7)
    customers = [await metering.add_customer() for _ in range(200)]
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    asks = [_ask(metering, calls, who) for who in customers]
    await metering.counters.read(metering.merchant_id, asks)
    keys = [customer_key(metering.merchant_id, one.id) for one in customers]
    await metering.redis.client.expire(keys[0], 1_000)
    before = [sorted(await metering.redis.client.hgetall(key)) for key in keys]

    runs = []
    while not runs or not runs[-1].ended:
        runs.append(
            await sweep_counters(
                metering.db, metering.events, walk, metering.clock, at_most=40, page=10
            )
        )
        assert len(runs) < 50

    # A walk may meet somebody twice, never nobody.
    assert sum(run.compared for run in runs) >= len(customers)
    assert len(runs) > 2
    assert max(run.compared for run in runs) < 120
    assert [sorted(await metering.redis.client.hgetall(key)) for key in keys] == before
    assert await metering.redis.client.ttl(keys[0]) <= 1_000, "comparing prolongs no life"


@pytest.mark.spec("ENT-4")
async def test_no_redis__is_left_to_the_next_run(metering: Metering, walk: CounterWalk) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.counter(calls, await metering.add_customer())
    done = await tasks.sweep_counters(
        metering.db, metering.events, metering.counters, metering.clock
    )
    assert done is not None
    assert done.compared == 1
    metering.counters._silent_until_s = asyncio.get_running_loop().time() + 60
    assert (
        await tasks.sweep_counters(metering.db, metering.events, metering.counters, metering.clock)
        is None
    )


@pytest.mark.spec("OPS-1", "ENT-4")
async def test_what_was_found__is_counted_for_prometheus(
    metering: Metering, walk: CounterWalk
) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    acme = await metering.add_customer()
    await metering.counter(calls, acme)
    await _spoil(metering, _ask(metering, calls, acme), "i", "5")
    await _sweep(metering, walk)

    page = (await counter_drift(metering.counters)).decode().splitlines()

    assert "candela_counters_compared_total 1.0" in page
    assert "candela_counter_drift_total 1.0" in page
