"""The dedupe window: remembered across months, claimed on both sides of a border, dropped in months."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.interval import Interval
from candela_server.metering import tasks
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event, start_metering

_MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.spec("EVT-2")
async def test_two_servers_on_both_sides_of_midnight__count_a_key_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    metering.clock.advance(_MIDNIGHT - timedelta(seconds=1))
    behind = await start_metering(
        metering.db,
        metering.events,
        FixedClock(_MIDNIGHT + timedelta(seconds=1)),
        metering.redis,
        metering.merchant_id,
    )
    far_behind = await start_metering(
        metering.db,
        metering.events,
        FixedClock(_MIDNIGHT + timedelta(hours=2)),
        metering.redis,
        metering.merchant_id,
    )
    metering.more += [behind, far_behind]
    at = _MIDNIGHT - timedelta(days=1)
    batches = [
        [event(f"{start}-{number}", acme, at=at) for number in range(50)] for start in range(10)
    ]

    got = await asyncio.gather(
        *[
            server.record(*batch)
            for batch in batches
            for server in (metering, behind, far_behind, behind, metering)
        ]
    )

    assert sum(one.outcomes.count(Outcome.ACCEPTED) for one in got) == 500
    assert sum(one.outcomes.count(Outcome.DEDUPLICATED) for one in got) == 4 * 500
    assert await metering.usage(calls, acme) == 500


@pytest.mark.spec("EVT-2")
async def test_a_key_of_an_earlier_month__is_remembered_with_its_payload(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    at = metering.clock.now()
    await metering.record(event("k", acme, at=at))

    metering.clock.advance(at + timedelta(days=34))
    same = await metering.record(event("k", acme, at=at))
    other = await metering.record(event("k", acme, "2", at=at))

    assert same.outcomes == [Outcome.DEDUPLICATED]
    assert other.outcomes == [Outcome.REJECTED]
    window = Interval(at - timedelta(hours=1), at + timedelta(hours=1))
    assert await metering.usage(calls, acme, window) == 1


@pytest.mark.spec("EVT-2")
async def test_old_months__are_dropped_whole_and_new_ones_made_ahead(
    metering: Metering, postgres_dsn: str
) -> None:
    clock = FixedClock(datetime(2019, 6, 15, tzinfo=UTC))
    await tasks.prepare_partitions(metering.events, clock)
    await tasks.prepare_partitions(metering.events, clock)
    assert _months(postgres_dsn) >= {"201906", "201907", "201908"}

    clock.advance(datetime(2019, 10, 20, tzinfo=UTC))
    dropped = await tasks.drop_old_keys(metering.events, clock)

    assert dropped == 1  # June; July holds the first of the 90 days
    assert "201906" not in _months(postgres_dsn)
    assert "201907" in _months(postgres_dsn)


def _months(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event_key'::regclass"
        ).fetchall()
    return {row[0].removeprefix("event_key_") for row in rows}
