"""A counter that does not hold what it stands for is found, logged and made anew (ENT-4)."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.metering.audit_counters import audit_counters
from candela_server.metering.cache import counter_id, customer_key
from candela_server.metering.model import UsageAsk

from tests.integration.metering.builders import Metering, event, usage_of


@pytest.mark.spec("ENT-4")
async def test_counter_that_was_tampered_with__is_found_and_the_next_reading_is_right(
    metering: Metering,
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
    async with asyncio.timeout(5):
        # The counter is filled beside the answer.
        while await metering.cache.read(asks) != [1]:
            await asyncio.sleep(0.01)

    sound = await audit_counters(metering.cache, metering.events, asks, believed_after_s=0)
    key = customer_key(metering.merchant_id, acme.id)
    await metering.redis.client.hset(key, f"i{counter_id(ask)}", 7)
    [found] = await audit_counters(metering.cache, metering.events, asks, believed_after_s=0)

    assert sound == []
    # Nothing speaks against anybody else's counter.
    assert await metering.cache.read([(metering.merchant_id, others)]) == [0]
    assert (found.counter, found.rollups) == (Decimal(7), Decimal(1))
    assert await metering.counters.read(metering.merchant_id, [ask]) == [1]
