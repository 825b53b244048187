"""The dedupe window: remembered across months, claimed on both sides of a border, dropped in months."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.catalog.model import Aggregation
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import Reason
from candela_server.kernel.interval import Interval
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant
from candela_server.metering import tasks
from candela_server.metering.model import Outcome
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

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
@pytest.mark.parametrize("months_later", [0, 1])
async def test_one_old_key_among_many_fresh_ones__is_found_whether_it_was_looked_for_or_not(
    metering: Metering, months_later: int
) -> None:
    """Clean flushes trust the index of this month, which says so as it is copied into; older months are looked at."""
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    at = metering.clock.now()
    await metering.record(event("old", acme, at=at))
    metering.clock.advance(at + timedelta(days=31 * months_later))

    for run in range(3):
        fresh = [event(f"{run}-{number}", acme, at=at) for number in range(200)]
        got = await metering.record(*fresh[:100], event("old", acme, at=at), *fresh[100:])
        assert got.outcomes.count(Outcome.ACCEPTED) == 200
        assert got.outcomes[100] is Outcome.DEDUPLICATED
    other = await metering.record(event("old", acme, "2", at=at))

    assert other.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    window = Interval(at - timedelta(hours=1), at + timedelta(hours=1))
    assert await metering.usage(calls, acme, window) == 601


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


@pytest.mark.spec("EVT-2")
async def test_merchants_of_different_windows__each_remember_their_own_time(
    metering: Metering, other_metering: Metering
) -> None:
    """One claims over 36 days and one over 400; half of the year later only the second remembers, in one flush too."""
    at = metering.clock.now()
    short, long = metering, other_metering
    for one, days in ((short, 36), (long, 400)):
        await _choose_window(one, timedelta(days=days))
        await one.add_metric("calls", Aggregation.COUNT)
    here, there = await short.add_customer(), await long.add_customer()
    await short.record(event("k", here))
    await long.record(event("k", there))

    metering.clock.advance(at + timedelta(days=180))
    # Both merchants' batches in one process's queue, which knows all their names, so that they meet in one flush.
    await short.ingestor.record(short.merchant_id, [event("warm", here)])
    await short.ingestor.record(long.merchant_id, [event("warm", there)])
    again_here, again_there = await asyncio.gather(
        short.ingestor.record(short.merchant_id, [event("k", here), event("new", here)]),
        short.ingestor.record(long.merchant_id, [event("k", there), event("new", there)]),
    )

    assert again_here.outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert again_there.outcomes == [Outcome.DEDUPLICATED, Outcome.ACCEPTED]


@pytest.mark.spec("EVT-2")
async def test_same_key_with_another_timestamp__is_still_one_event(metering: Metering) -> None:
    """A unique index over events could not see it: it would have to contain their time (fault 39)."""
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    at = metering.clock.now()

    got = await metering.record(
        event("k", acme, at=at),
        event("k", acme, at=at - timedelta(days=30)),
        event("k", acme, at=at - timedelta(microseconds=1)),
        event("k", acme, at=at),
    )

    assert got.outcomes == [
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.REJECTED,
        Outcome.DEDUPLICATED,
    ]
    assert {one.reason for one in got.rejections} == {Reason.EVENT_KEY_CONFLICT}
    assert await metering.usage(calls, acme, metering.window()) == 1


@pytest.mark.spec("EVT-2")
async def test_hourly_job__drops_no_month_that_the_longest_window_needs(
    own_database: str, clock: FixedClock, redis: Redis
) -> None:
    db, events = Postgres(own_database, clock), EventStore(own_database)
    await db.open()
    await events.open()
    try:
        for day in (datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 6, 15, tzinfo=UTC)):
            await tasks.prepare_partitions(events, FixedClock(day))
        merchants = [
            (await create_merchant(db, clock, CreateMerchant(name=name, mode=Mode.TEST))).merchant
            for name in ("short", "long")
        ]
        long = await start_metering(db, events, clock, redis, merchants[1].id)
        await _choose_window(long, timedelta(days=200))
        # 200 days before 2026-01-31 is in July 2025.
        await tasks.forget_old_keys(db, events, clock)
        kept = _months(own_database)
        await _choose_window(long, timedelta(days=36))
        await tasks.forget_old_keys(db, events, clock)
        default = _months(own_database)
        await long.ingestor.stop()
        await long.counters.stop()
    finally:
        await events.close()
        await db.close()

    assert kept == {"202507", "202508"}
    assert default == set()  # the other merchant's 90 days begin in November


async def _choose_window(metering: Metering, window: timedelta) -> None:
    async with metering.db.writing(metering.merchant_id) as tx:
        await update_merchant(
            tx,
            downgrade_plan_problem,
            UpdateMerchant(
                name=None,
                time_zone=None,
                settings=SettingsChange(event_dedupe_window=window),
                expected_version=None,
            ),
        )
    metering.directory.forget(metering.merchant_id)


def _months(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event_key'::regclass"
        ).fetchall()
    return {row[0].removeprefix("event_key_") for row in rows}
