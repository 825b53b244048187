"""A long transaction elsewhere does not pile up what flushes go through, and usage stays exact (EVT-3, EVT-7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_server.catalog.model import Aggregation
from candela_server.customer.model import Customer
from candela_server.metering.list_unmatched_names import list_unmatched_names
from candela_server.metering.merge_layers import merge_layers
from candela_server.metering.rollup_layer import LAYER_FLUSHES

from tests.integration.metering.builders import BUILT_IN, Metering, event
from tests.integration.metering.layering import climbing, merge, rows_by_layer

_FLUSHES = 400
"""More than a page holds versions of a writer's row."""


@pytest.mark.spec("EVT-3", "EVT-7")
async def test_while_old_versions_stay__flushes_begin_rows_anew_and_later_do_so_no_more(
    alone: Metering,
) -> None:
    acme = await alone.add_customer()
    total = await alone.add_metric("total", Aggregation.SUM)
    last = await alone.add_metric("last", Aggregation.LAST)

    async with alone.events.reader() as connection:
        # A report that goes on and on.
        await connection.execute("SELECT count(*) FROM usage_rollup")
        for number in range(_FLUSHES):
            await alone.record(event(f"held-{number}", acme, "2"))
    layers = await rows_by_layer(alone)
    for number in range(_FLUSHES):
        await alone.record(event(f"free-{number}", acme, "3"))
    after = await rows_by_layer(alone)
    await alone.record(event("the last one", acme, "7"))

    assert len(layers) > 5
    assert set(layers.values()) == {2}
    # A page that others had left old versions on is cleared once more, and the layers begin anew.
    assert await _flushes_of_a_row(alone) <= 4 * LAYER_FLUSHES
    assert len(after) - len(layers) < _FLUSHES / LAYER_FLUSHES / 2
    assert await alone.usage(total, acme) == 5 * _FLUSHES + 7
    assert await alone.usage(last, acme) == await _last(alone)
    assert await alone.counter(total, acme) == 5 * _FLUSHES + 7

    assert await merge(alone) >= sum(after.values()) - 2
    assert await rows_by_layer(alone) == {0: 2}
    assert await alone.usage(total, acme) == 5 * _FLUSHES + 7
    assert await alone.usage(last, acme) == await _last(alone)


@pytest.mark.spec("EVT-7")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(
        st.tuples(st.integers(-9, 9), st.integers(0, 1_100), st.sampled_from(["x", "y"])),
        min_size=4,
        max_size=14,
    ),
    step_rows=st.integers(1, 40),
)
async def test_layers_that_are_merged__are_the_rows_that_one_layer_would_have(
    metering: Metering, sent: list[tuple[int, int, str]], step_rows: int
) -> None:
    if not metering.metrics:
        metering.metrics = [
            await metering.add_metric(one.value.replace("_", "-"), one, group_by=["model"])
            for one in BUILT_IN
            if one is not Aggregation.UNIQUE
        ]
    began_at = metering.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    acme, bolt = await metering.add_customer(), await metering.add_customer()
    events = {
        customer.id: [
            event(
                f"{customer.id}-{number}",
                customer,
                str(value),
                at=began_at + timedelta(seconds=seconds, microseconds=number),
                properties={"model": model},
            )
            for number, (value, seconds, model) in enumerate(sent)
        ]
        for customer in (acme, bolt)
    }
    with climbing():
        for one in events[acme.id]:
            assert not (await metering.record(one)).rejections
    assert len(await rows_by_layer(metering)) == 3
    await metering.record(*events[bolt.id])
    await merge(metering, step_rows)

    rows = [await _rows(metering, customer) for customer in (acme, bolt)]
    assert len(rows[0]) >= 2 * len(metering.metrics)
    assert rows[0] == rows[1]


@pytest.mark.spec("EVT-3", "EVT-7")
async def test_layers_that_are_merged_while_events_come__lose_nothing_and_stop_nobody(
    metering: Metering,
) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    spent = await metering.add_metric("spent", Aggregation.SUM)
    customers = [await metering.add_customer() for _ in range(4)]
    merged = 0

    async def send(customer: Customer) -> None:
        for number in range(100):
            recorded = await metering.record(event(f"{customer.id}-{number}", customer, "3"))
            assert not recorded.rejections

    async def merge_meanwhile() -> None:
        nonlocal merged
        while not all(one.done() for one in sending):
            merged += await merge(metering, 2)

    with climbing():
        sending = [asyncio.create_task(send(customer)) for customer in customers]
        await asyncio.gather(merge_meanwhile(), *sending)

    assert merged > 100
    for customer in customers:
        assert await metering.usage(calls, customer) == 100
        assert await metering.usage(spent, customer) == 300


@pytest.mark.spec("EVT-7")
async def test_layers_of_a_quarter_hour_that_goes_on__are_merged_when_it_is_over(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    with climbing():
        for number in range(6):
            await metering.record(event(f"k{number}", acme, at=metering.clock.now()))

    await merge_layers(metering.events, metering.clock)
    layers = await rows_by_layer(metering)
    await merge(metering)

    assert layers == {0: 1, 1: 1, 2: 1}
    assert await rows_by_layer(metering) == {0: 1}
    assert await metering.usage(calls, acme) == 6


@pytest.mark.spec("EVT-11")
async def test_names_that_no_metric_reads__are_counted_over_all_layers(metering: Metering) -> None:
    acme = await metering.add_customer()
    first_at = metering.clock.now()
    with climbing():
        for number in range(7):
            await metering.record(
                event(f"k{number}", acme, name="mistyped"),
                event(f"l{number}", acme, name="unknown"),
            )

    async with metering.db.reading(metering.merchant_id) as tx:
        before = await list_unmatched_names(tx, limit=10, after="")
        first = await list_unmatched_names(tx, limit=1, after="")
    await merge(metering)
    async with metering.db.reading(metering.merchant_id) as tx:
        after = await list_unmatched_names(tx, limit=10, after="")

    assert [(one.name, one.event_count) for one in before] == [("mistyped", 7), ("unknown", 7)]
    assert first == before[:1]
    assert after == before
    assert all(one.first_event_at <= first_at for one in after)


async def _rows(metering: Metering, customer: Customer) -> list[tuple[Any, ...]]:
    """All rollups of a customer, but for whose they are and the hash of a key."""
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            """
            SELECT metric_id, dimension, bucket_at, layer, event_count, value_sum, value_min, value_max, last_at,
                   last_value, value_time
            FROM usage_rollup WHERE merchant_id = %s AND customer_id = %s ORDER BY 1, 2, 3
            """,
            [metering.merchant_id, customer.id],
        )
        return await cursor.fetchall()


async def _flushes_of_a_row(metering: Metering) -> int:
    """How many flushes beside the report added to one row, those before they noticed it aside."""
    async with metering.events.reader() as connection:
        # stored-events: which were sent while the report ran
        cursor = await connection.execute(
            """
            SELECT max(event_count) FROM usage_rollup
            WHERE merchant_id = %s AND layer > 0 AND last_key IN (
                SELECT key_hash FROM event WHERE merchant_id = %s AND idempotency_key LIKE 'held-%%')
            """,
            [metering.merchant_id, metering.merchant_id],
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _last(metering: Metering) -> int:
    """The value of the latest event; of those at the same instant, which the hash of the key decides."""
    async with metering.events.reader() as connection:
        # stored-events: none was corrected
        cursor = await connection.execute(
            """
            SELECT value FROM event WHERE merchant_id = %s ORDER BY happened_at DESC, key_hash DESC LIMIT 1
            """,
            [metering.merchant_id],
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
