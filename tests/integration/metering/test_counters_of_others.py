"""Corrections make the counters of whom they concern anew, and leave everybody else's alone (ENT-4, EVT-4)."""

from __future__ import annotations

import pytest

from candela_server.catalog.model import Aggregation, Metric
from candela_server.customer.model import Customer
from candela_server.metering.model import UsageAsk

from tests.integration.metering.builders import Metering, event, usage_of
from tests.integration.metering.correcting import by_filter, by_keys, void


async def _kept(metering: Metering, metric: Metric, who: Customer) -> int | None:
    """What the counter in Redis holds; None when it would have to be filled."""
    ask = UsageAsk(metric=metric, who=usage_of(who), window=metering.window())
    [value] = await metering.cache.read([(metering.merchant_id, ask)])
    return None if value is None else int(value)


@pytest.mark.spec("ENT-4", "EVT-4")
async def test_a_correction_sent_again__costs_nobody_else_their_counters(
    metering: Metering, other_metering: Metering
) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    stranger = await other_metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    theirs = await other_metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme), event("b", acme), event("u", umbra))
    await other_metering.record(event("x", stranger))
    assert await void(metering, "the same request", **by_keys("a")) == 1
    assert await metering.counter(calls, acme) == 1
    assert await metering.counter(calls, umbra) == 1
    assert await other_metering.counter(theirs, stranger) == 1

    assert await void(metering, "the same request", **by_keys("a")) == 1

    # The repetition is as good as the first call, which may have died before it told anybody.
    assert await _kept(metering, calls, acme) is None
    assert await _kept(metering, calls, umbra) == 1
    assert await _kept(other_metering, theirs, stranger) == 1


@pytest.mark.spec("ENT-4", "EVT-4")
async def test_a_correction_of_many_customers__drops_theirs_alone(
    metering: Metering, other_metering: Metering
) -> None:
    many = [await metering.add_customer() for _ in range(101)]
    spared = await metering.add_customer()
    stranger = await other_metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT, event_names=["sent", "other"])
    theirs = await other_metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(
        *(event(one.id, one, name="sent") for one in many), event("spared", spared, name="other")
    )
    await other_metering.record(event("x", stranger))
    assert await metering.counter(calls, many[0]) == 1
    assert await metering.counter(calls, spared) == 1
    assert await other_metering.counter(theirs, stranger) == 1

    assert await void(metering, **by_filter(metering.window(), names=["sent"])) == 101

    assert await _kept(metering, calls, many[0]) is None
    assert await metering.counter(calls, many[0]) == 0
    assert await _kept(metering, calls, spared) == 1
    assert await _kept(other_metering, theirs, stranger) == 1
