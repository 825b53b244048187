"""A counter in use that does not hold what it stands for is found, logged, counted and made anew (ENT-4)."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from candela_server.catalog.model import Aggregation
from candela_server.metering.compare_counters import Drift
from candela_server.metering.counter_names import counter_id, customer_key
from candela_server.metering.counter_walk import CounterWalk
from candela_server.metering.model import UsageAsk

from tests.helpers.waiting import PATIENCE_S, eventually
from tests.integration.metering.builders import Metering, event, usage_of


@pytest.mark.spec("ENT-4", "OPS-1")
async def test_counter_that_was_tampered_with__is_found_and_the_next_reading_is_right(
    metering: Metering, walk: CounterWalk
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("k1", acme))
    ask = UsageAsk(metric=calls, who=usage_of(acme), window=metering.window())
    asks = [(metering.merchant_id, ask)]
    assert await metering.counters.read(metering.merchant_id, [ask]) == [1]
    umbra = await metering.add_customer()
    others = UsageAsk(metric=calls, who=usage_of(umbra), window=metering.window())
    assert await metering.counters.read(metering.merchant_id, [others]) == [0]

    async def is_filled() -> bool:
        return await metering.cache.read(asks) == [1]

    await eventually(is_filled, "the counter is filled, beside the answer")

    sound = await metering.counters.audit(asks, believed_after_s=0)
    key = customer_key(metering.merchant_id, acme.id)
    await metering.redis.client.hset(key, f"i{counter_id(ask)}", 7)
    with capture_logs() as logs:
        # Whoever asks twice for the same means one counter.
        [found] = await metering.counters.audit([*asks, *asks], believed_after_s=0)

    assert sound == []
    # Nothing speaks against anybody else's counter.
    assert await metering.cache.read([(metering.merchant_id, others)]) == [0]
    assert (found.counter, found.rollups) == (Decimal(7), Decimal(1))
    assert [one["customer_id"] for one in logs if one["event"] == "counter_drift"] == [acme.id]
    assert await walk.counts() == (2, 1)
    assert await metering.counters.read(metering.merchant_id, [ask]) == [1]


@pytest.mark.spec("ENT-4")
async def test_counter_that_moves_all_the_while__is_no_drift_but_hides_none(
    metering: Metering, walk: CounterWalk
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    ask = UsageAsk(metric=tokens, who=usage_of(acme), window=metering.window())
    asks = [(metering.merchant_id, ask)]
    await metering.counters.read(metering.merchant_id, [ask])
    stopping = asyncio.Event()
    recorded = 0

    async def record() -> None:
        nonlocal recorded
        while not stopping.is_set():
            recorded += 1
            await metering.record(event(f"k{recorded}", acme, "1.5"))

    busy = asyncio.create_task(record())
    try:
        sound = [await metering.counters.audit(asks, believed_after_s=0.05) for _ in range(10)]
        key = customer_key(metering.merchant_id, acme.id)
        await metering.redis.client.hincrby(key, f"i{counter_id(ask)}", 1)
        found: list[Drift] = []
        async with asyncio.timeout(PATIENCE_S):
            # What is on its way for too long is left to the next audit.
            while not found:
                found = await metering.counters.audit(asks, believed_after_s=0.05)
    finally:
        stopping.set()
        await busy

    assert sound == [[]] * 10
    assert [one.ask for one in found] == [ask]
    want = Decimal("1.5") * recorded
    assert await metering.counters.read(metering.merchant_id, [ask]) == [want]


@pytest.mark.spec("ENT-4")
async def test_servers_that_audit_the_same_counters_at_once__do_not_mislead_each_other(
    metering: Metering, walk: CounterWalk
) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    customers = [await metering.add_customer() for _ in range(5)]
    await metering.record(*[event(f"k{number}", one) for number, one in enumerate(customers)])
    found = [
        UsageAsk(metric=calls, who=usage_of(one), window=metering.window()) for one in customers
    ]
    await metering.counters.read(metering.merchant_id, found)
    asks = [(metering.merchant_id, ask) for ask in found]

    drifted = await asyncio.gather(
        *[metering.counters.audit(asks, believed_after_s=0) for _ in range(8)]
    )

    assert drifted == [[]] * 8
    assert await metering.cache.read(asks) == [1] * 5
