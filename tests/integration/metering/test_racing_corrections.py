"""Corrections that race with ingestion of the same keys and quarter-hours end exact (EVT-2, EVT-4, EVT-7)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import NotFound
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk

from tests.helpers.waiting import PATIENCE_S, becomes
from tests.integration.metering.builders import Metering, event, start_metering, usage_of
from tests.integration.metering.correcting import (
    by_filter,
    by_keys,
    close,
    open_backfill,
    record_into,
    replace,
    revert,
    void,
)

ROUNDS = 25
PER_ROUND = 40


@pytest.mark.spec("EVT-2", "EVT-4", "EVT-7")
async def test_corrections_that_race_with_two_servers_ingestion__end_exact(
    metering: Metering,
) -> None:
    """Two servers send the same keys while a third caller voids, replaces and backfills the same quarter-hours; in
    the end rollups, counters and the sum over the events that count are one number, and each key counts once at most.
    """
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    metrics = [
        await metering.add_metric("calls", Aggregation.COUNT),
        await metering.add_metric("total", Aggregation.SUM),
        await metering.add_metric("most", Aggregation.MAX),
        await metering.add_metric("last", Aggregation.LAST),
        await metering.add_metric("models", Aggregation.UNIQUE, property_name="model"),
    ]
    other = await start_metering(
        metering.db, metering.events, metering.clock, metering.redis, metering.merchant_id
    )
    metering.more.append(other)
    base = metering.clock.now().replace(minute=0) - timedelta(hours=2)
    window = Interval(base, base + timedelta(hours=1))
    asks = [
        UsageAsk(metric=metric, who=usage_of(who), window=window)
        for metric in metrics
        for who in (acme, ada)
    ]
    chance = random.Random(4)

    def batch(round_number: int) -> list[object]:
        draw = random.Random(round_number)
        return [
            event(
                f"{round_number}-{number}",
                draw.choice([acme, ada]),
                str(draw.randint(-9, 9)),
                at=base + timedelta(seconds=draw.randint(0, 3599)),
                properties={"model": draw.choice("abcdef")},
            )
            for number in range(PER_ROUND)
        ]

    async def send(to: Metering) -> None:
        for round_number in range(ROUNDS):
            recorded = await to.record(*batch(round_number))
            assert not recorded.rejections
            await to.counters.read(metering.merchant_id, asks)

    async def correct() -> None:
        for number in range(ROUNDS):
            some = [f"{chance.randrange(ROUNDS)}-{chance.randrange(PER_ROUND)}" for _ in range(5)]
            for key in some:
                with suppress(NotFound):  # not sent yet
                    await void(metering, **by_keys(key))
            with suppress(NotFound):  # not sent yet, or voided
                new = event(f"new-{number}", acme, "5", properties={"model": "g"})
                await replace(other, f"{chance.randrange(ROUNDS)}-1", new)
            at = base + timedelta(minutes=chance.randrange(60))
            await void(other, **by_filter(Interval(at, at + timedelta(seconds=30))))

    async def backfill() -> None:
        for number in range(ROUNDS // 4):
            opened = await open_backfill(
                metering, base, base + timedelta(minutes=45), replaces_existing=number % 2 == 0
            )
            await record_into(
                other, opened.id, event(f"filled-{number}", ada, "3", at=base), *batch(number)[:9]
            )
            await close(other, opened.id)
            if number % 3:
                await revert(metering, opened.id)

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(send(metering), send(other), correct(), backfill())

    by_rollups = [await metering.usage(ask.metric, _who(ask, acme, ada), window) for ask in asks]
    assert await metering.counters.read(metering.merchant_id, asks) == by_rollups
    assert await other.counters.read(metering.merchant_id, asks) == by_rollups
    assert by_rollups == await _from_events(metering, asks)


def _who(ask: UsageAsk, acme: object, ada: object) -> object:
    return ada if ask.who.user_id else acme


async def _from_events(metering: Metering, asks: list[UsageAsk]) -> list[Decimal]:
    """Each usage from a plain list of the events that count; each key is there once at most."""
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            """
            SELECT idempotency_key, user_id, value, properties ->> 'model' FROM counted_event
            WHERE merchant_id = %s AND happened_at >= %s AND happened_at < %s
            ORDER BY happened_at, key_hash
            """,
            [metering.merchant_id, asks[0].window.start_at, asks[0].window.end_at],
        )
        rows = await cursor.fetchall()
    keys = [row[0] for row in rows]
    assert len(keys) == len(set(keys))
    assert len(rows) > 100
    got = []
    for ask in asks:
        read = [row for row in rows if ask.who.user_id in (None, row[1])]
        values = [row[2] for row in read]
        match ask.metric.aggregation:
            case Aggregation.COUNT:
                got.append(Decimal(len(read)))
            case Aggregation.SUM:
                got.append(sum(values, Decimal(0)))
            case Aggregation.MAX:
                got.append(max(values, default=Decimal(0)))
            case Aggregation.LAST:
                got.append(values[-1] if values else Decimal(0))
            case _:
                got.append(Decimal(len({row[3] for row in read})))
    return got


@pytest.mark.quiet
@pytest.mark.spec("EVT-4")
async def test_a_correction_under_full_load__does_not_wait_for_a_pause(metering: Metering) -> None:
    """Flushes share the merchant's lock and overlap all the time; a correction must get its turn all the same."""
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(event("first", acme, "1000000"))
    stop = False
    sent = 0

    async def load(number: int) -> None:
        nonlocal sent
        batch_number = 0
        while not stop:
            batch_number += 1
            events = [event(f"{number}-{batch_number}-{one}", acme) for one in range(500)]
            recorded = await metering.record(*events)
            assert not recorded.rejections
            sent += len(events)

    loads = [asyncio.create_task(load(number)) for number in range(6)]
    await becomes(lambda: sent >= 6 * 500, "the load runs")
    loop = asyncio.get_running_loop()
    waited = []
    for number in range(5):
        before = loop.time()
        await void(metering, **by_keys("first" if number == 0 else f"0-1-{number}"))
        waited.append(loop.time() - before)
    stop = True
    await asyncio.gather(*loads)

    assert max(waited) < 8
    assert await metering.counter(total, acme) == sent - 4
    assert await metering.usage(total, acme) == sent - 4
