"""Indexed SQL metrics: kept by quarter-hour, and always the number that the query itself gives (EVT-6, EVT-12)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_server.catalog.model import FilterOperator, Metric, PropertyFilter
from candela_server.customer.model import Customer, User
from candela_server.kernel.interval import Interval
from candela_server.metering import sql_store

from tests.integration.metering.builders import Metering, event

_QUERIES = (
    "SELECT count(*) FROM events",
    "SELECT count(properties->>'model') FROM events WHERE value > 1",
    "SELECT sum(value * (properties->>'n')::numeric) FROM events",
    "SELECT coalesce(sum(value / 7) FILTER (WHERE properties->>'model' <> 'a'), 0) FROM events",
    "SELECT min(value - 2) FROM events",
    "SELECT max((properties->>'n')::numeric) FROM events WHERE name = 'api-call'",
    "SELECT count(DISTINCT properties->>'model') FROM events",
    "SELECT count(DISTINCT (properties->>'n')::numeric) FROM events WHERE value > 0",
    "SELECT count(DISTINCT timestamp::date) FROM events",
    "SELECT count(DISTINCT user_id) FILTER (WHERE value < 3) FROM events",
    "SELECT count(DISTINCT customer_id) FROM events",
)


async def _pairs(metering: Metering) -> list[tuple[Metric, Metric]]:
    """Each query in both flavours."""
    names = ("api-call", "job")
    filters = (PropertyFilter("skip", FilterOperator.ABSENT, ()),)
    return [
        (
            await metering.add_sql_metric(query, event_names=names, filters=filters),
            await metering.add_sql_metric(query, event_names=names, filters=filters, indexed=True),
        )
        for query in _QUERIES
    ]


async def _assert_equal(
    metering: Metering,
    pairs: Sequence[tuple[Metric, Metric]],
    who: Sequence[Customer | User],
    windows: Sequence[Interval],
) -> None:
    for one in who:
        for window in windows:
            for plain, indexed in pairs:
                want = await metering.usage(plain, one, window)
                got = await metering.usage(indexed, one, window)
                assert plain.sql is not None
                assert got == want, f"{plain.sql.query} over {window}"


@pytest.mark.spec("EVT-6", "EVT-7", "EVT-12")
async def test_random_events_and_windows__both_flavours_agree(metering: Metering) -> None:
    acme, other = await metering.add_customer(), await metering.add_customer()
    ada = await metering.add_user(acme)
    now, chance = metering.clock.now(), random.Random(7)
    start_at = now - timedelta(days=3)

    def instant() -> datetime:
        return start_at + timedelta(microseconds=chance.randrange(3 * 86_400 * 1_000_000))

    # The first events are there before the metrics, the others come in between the questions.
    pairs: list[tuple[Metric, Metric]] = []
    for round_number in range(6):
        events = [
            event(
                f"{round_number}-{number}",
                chance.choice((acme, ada, ada, other)),
                str(Decimal(chance.randrange(-400, 800)) / 100),
                name=chance.choice(("api-call", "job", "else")),
                at=instant(),
                properties={
                    "model": chance.choice(("a", "b", "c", "")),
                    "n": chance.choice((1, 2.5, "2.50", "3", "x", True)),
                    **({"skip": 1} if chance.random() < 0.1 else {}),
                },
            )
            for number in range(60)
        ]
        await metering.record(*events)
        if not pairs:
            pairs = await _pairs(metering)
        windows = [Interval(start_at, now)]
        for _ in range(3):
            one, two = sorted((instant(), instant()))
            windows.append(Interval(one, two + timedelta(microseconds=1)))
        await _assert_equal(metering, pairs, (acme, ada, other), windows)


@pytest.mark.spec("EVT-6", "EVT-12")
@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_any_small_history__both_flavours_agree(metering: Metering, data: st.DataObject) -> None:
    minutes = data.draw(st.lists(st.integers(0, 120), max_size=12), label="minutes")
    values = data.draw(
        st.lists(st.decimals(-9, 9, places=3), min_size=len(minutes), max_size=len(minutes))
    )
    first, length = data.draw(st.integers(0, 120)), data.draw(st.integers(1, 120))

    async def check() -> None:
        acme, now = await metering.add_customer(), metering.clock.now()
        start_at = now - timedelta(hours=3)
        pairs = [
            (
                await metering.add_sql_metric(query),
                await metering.add_sql_metric(query, indexed=True),
            )
            for query in _QUERIES[:5]
        ]
        for number, (minute, value) in enumerate(zip(minutes, values, strict=True)):
            await metering.record(
                event(
                    f"{acme.id}-{number}",
                    acme,
                    format(value, "f"),
                    at=start_at + timedelta(minutes=minute),
                    properties={"n": number % 3, "model": str(number % 2)},
                )
            )
        begin = start_at + timedelta(minutes=first)
        await _assert_equal(
            metering, pairs, [acme], [Interval(begin, begin + timedelta(minutes=length))]
        )

    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(check())


@pytest.mark.spec("EVT-6")
async def test_kept_quarter_hours__are_used_until_one_of_their_events_changes(
    metering: Metering, postgres_dsn: str
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    long_ago = now - timedelta(hours=5)
    await metering.record(event("1", acme, "1", at=long_ago), event("2", acme, "2"))
    assert await metering.usage(metric, acme) == 3

    # Falsified by hand, so that it shows what is read.
    with psycopg.connect(postgres_dsn) as connection:
        changed = connection.execute(
            "UPDATE sql_bucket SET value = value + 100 WHERE merchant_id = %s AND measured = revision",
            [metering.merchant_id],
        ).rowcount
    assert changed == 2
    assert await metering.usage(metric, acme) == 203

    await metering.record(event("3", acme, "4", at=long_ago))
    assert await metering.usage(metric, acme) == 107  # 1 + 4 measured anew, 102 kept


@pytest.mark.spec("EVT-6", "EVT-4")
async def test_quarter_hour_marked_as_changed__is_measured_anew(metering: Metering) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    await metering.record(event("1", acme, "1"))
    assert await metering.usage(metric, acme) == 1

    # What a correction does: changes events and marks their quarter-hours, in one transaction.
    at = int(now.timestamp()) // 900 * 900 * 1_000_000
    async with metering.events.writer() as connection:
        await connection.execute("RESET ROLE; SET LOCAL ROLE NONE")
        await connection.execute(
            "UPDATE event SET value = 5 WHERE merchant_id = %s", [metering.merchant_id]
        )
        await sql_store.mark_buckets(
            connection, [(metering.merchant_id, acme.id, metric.id, "", at)]
        )

    assert await metering.usage(metric, acme) == 5


@pytest.mark.spec("EVT-6", "EVT-10")
async def test_metric_made_after_its_events__counts_them_and_each_new_one_once(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    await metering.record(event("1", acme, "1"), event("2", acme, "2"))

    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    assert await metering.usage(metric, acme) == 3
    await metering.record(event("3", acme, "4"))

    assert await metering.usage(metric, acme) == 7


@pytest.mark.spec("EVT-6", "EVT-7")
async def test_reading_while_events_stream_in__never_keeps_a_wrong_number(
    metering: Metering,
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    plain = await metering.add_sql_metric("SELECT sum(value) FROM events")
    indexed = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)

    async def record(part: int) -> None:
        for number in range(40):
            at = now - timedelta(minutes=15 * (number % 4))
            await metering.record(event(f"{part}-{number}", acme, "1", at=at))

    recording = asyncio.gather(*[record(part) for part in range(4)])
    while not recording.done():
        await metering.usage(indexed, acme)
    await recording

    assert await metering.usage(plain, acme) == 160
    assert await metering.usage(indexed, acme) == 160
    assert await metering.usage(indexed, acme) == 160  # now from what was kept


@pytest.mark.spec("EVT-6")
async def test_quarter_hour_with_too_many_distinct_values__is_exact_and_not_kept(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candela_server.metering.measure_sql.MAX_MEMBERS", 3)
    acme = await metering.add_customer()
    metric = await metering.add_sql_metric(
        "SELECT count(DISTINCT properties->>'n') FROM events", indexed=True
    )
    await metering.record(
        *[event(str(number), acme, properties={"n": number % 5}) for number in range(20)]
    )

    assert [await metering.usage(metric, acme) for _ in range(2)] == [5, 5]
