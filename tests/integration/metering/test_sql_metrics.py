"""Metrics in SQL over real events: what they measure, for invoices, limits and charts alike (EVT-6, EVT-7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest

from candela_server.catalog.model import Aggregation, FilterOperator, PropertyFilter
from candela_server.catalog.rules.sql_metric.query import read_sql
from candela_server.kernel.errors import Reason
from candela_server.kernel.interval import Interval
from candela_server.metering.model import BucketSize, SqlScope, UsageAsk, UsageOf
from candela_server.metering.query_usage import (
    aggregate_beside_keys,
    aggregate_many,
    query_buckets,
)
from candela_server.metering.rules.sql_metric_binding import window_query
from candela_server.metering.sql_errors import SqlMetricResultError
from candela_server.storage import sql_sandbox

from tests.integration.metering.builders import Metering, event


@pytest.mark.spec("EVT-6", "EVT-12")
@pytest.mark.parametrize(
    ("query", "want"),
    [
        ("SELECT count(*) FROM events", "4"),
        ("SELECT sum(value) FROM events", "10.5"),
        ("SELECT avg(value) FROM events", "2.625"),
        ("SELECT sum(value) / count(*) FROM events", "2.625"),
        ("SELECT 7 / 2 * count(*) FROM events", "14"),  # numbers are decimals, never integers
        ("SELECT count(DISTINCT properties->>'model') FROM events", "2"),
        ("SELECT count(DISTINCT customer_id) FROM events", "1"),
        ("SELECT sum((properties->>'tokens')::numeric) FROM events", "42"),
        ("SELECT sum(value) FILTER (WHERE properties->>'model' = 'a') FROM events", "4"),
        ("SELECT sum(CASE WHEN value > 2 THEN value * 2 ELSE 0 END) FROM events", "15"),
        (
            "SELECT max(day) FROM (SELECT sum(value) AS day FROM events"
            " GROUP BY timestamp::date) AS days",
            "7.5",
        ),
        ("SELECT count(*) FROM events e WHERE e.properties ? 'tokens'", "3"),
        ("SELECT sum(value) / 0 FROM events", "0"),
        ("SELECT sum(value) FROM events WHERE value > 1000", "0"),
        ("SELECT sum((properties->>'model')::numeric) FROM events", "0"),
        ("SELECT count(*) / 3 FROM events", "1.333333333333"),
        ("SELECT count(*) FROM events WHERE timestamp >= '2026-01-31'", "2"),
    ],
)
async def test_query_over_a_window__gives_its_number(
    metering: Metering, query: str, want: str
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metric = await metering.add_sql_metric(query)
    yesterday = now - timedelta(days=1)
    await metering.record(
        event("1", acme, "1", at=yesterday, properties={"model": "a", "tokens": 40}),
        event("2", acme, "2", at=yesterday, properties={"model": "b", "tokens": "2"}),
        event("3", acme, "3", properties={"model": "a", "tokens": "NaN"}),
        event("4", acme, "4.5"),
    )

    assert await metering.usage(metric, acme) == Decimal(want)
    assert await metering.counter(metric, acme) == Decimal(want)


@pytest.mark.spec("EVT-6")
async def test_names_and_filters__say_which_events_the_query_sees(metering: Metering) -> None:
    acme = await metering.add_customer()
    metric = await metering.add_sql_metric(
        "SELECT count(*) FROM events",
        event_names=("it's", "b%s"),
        filters=(
            PropertyFilter("re'gion", FilterOperator.IN, ("e'u", "us")),
            PropertyFilter("n", FilterOperator.AT_LEAST, ("5",)),
        ),
    )
    good = {"re'gion": "e'u", "n": 5}

    await metering.record(
        event("1", acme, name="it's", properties=good),
        event("2", acme, name="b%s", properties=good),
        event("3", acme, name="other", properties=good),
        event("4", acme, name="it's", properties={**good, "n": 4}),
        event("5", acme, name="it's", properties={"n": 6}),
    )

    assert await metering.usage(metric, acme) == 2


@pytest.mark.spec("EVT-6", "ENT-7")
async def test_user__is_measured_alone(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada, bob = await metering.add_user(acme), await metering.add_user(acme)
    plain = await metering.add_sql_metric("SELECT sum(value) FROM events")
    indexed = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)

    await metering.record(event("1", ada, "3"), event("2", bob, "4"), event("3", acme, "5"))

    for metric in (plain, indexed):
        got = [await metering.usage(metric, who) for who in (ada, bob, acme)]
        assert got == [3, 4, 12]


@pytest.mark.spec("EVT-6", "EVT-7")
async def test_window__is_half_open_to_the_microsecond(metering: Metering) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    window = Interval(now - timedelta(hours=2, microseconds=-1), now - timedelta(hours=1))
    plain = await metering.add_sql_metric("SELECT count(*) FROM events")
    indexed = await metering.add_sql_metric("SELECT count(*) FROM events", indexed=True)

    await metering.record(
        event("1", acme, at=window.start_at - timedelta(microseconds=1)),
        event("2", acme, at=window.start_at),
        event("3", acme, at=window.end_at - timedelta(microseconds=1)),
        event("4", acme, at=window.end_at),
    )

    assert await metering.usage(plain, acme, window) == 2
    assert await metering.usage(indexed, acme, window) == 2


@pytest.mark.spec("EVT-6", "EVT-8")
async def test_buckets__are_each_measured_by_the_query(metering: Metering) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metric = await metering.add_sql_metric("SELECT sum(value) * 2 FROM events")
    await metering.record(event("1", acme, "1", at=now - timedelta(days=1)), event("2", acme, "2"))

    buckets = await query_buckets(
        metering.events,
        metering.merchant_id,
        metric,
        UsageOf(customer_id=acme.id),
        Interval(now - timedelta(days=1, hours=1), now + timedelta(hours=1)),
        size=BucketSize.DAY,
        zone=ZoneInfo("UTC"),
    )

    assert [one.value for one in buckets] == [2, 4]


@pytest.mark.spec("EVT-6", "ENT-4")
async def test_live_usage__is_never_stale(metering: Metering) -> None:
    acme = await metering.add_customer()
    plain = await metering.add_sql_metric("SELECT sum(value) FROM events")
    indexed = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)

    for number in range(20):
        await metering.record(event(str(number), acme, "1"))
        got = await asyncio.gather(
            *[metering.counter(metric, acme) for metric in (plain, indexed) for _ in range(5)]
        )
        assert got == [number + 1] * 10


@pytest.mark.spec("EVT-7")
async def test_queries_beside_built_ins__are_answered_in_order_and_of_one_instant(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    plain = await metering.add_sql_metric("SELECT sum(value) FROM events")
    indexed = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    asks = [
        UsageAsk(metric=one, who=UsageOf(customer_id=acme.id), window=metering.window())
        for one in (plain, total, indexed, total, plain)
    ]

    async def record() -> None:
        for number in range(60):
            await metering.record(event(str(number), acme, "1.5"))

    recording = asyncio.create_task(record())
    while not recording.done():
        got = await aggregate_many(metering.events, metering.merchant_id, asks)
        assert len(set(got)) == 1, got
    await recording
    values, found = await aggregate_beside_keys(
        metering.events, metering.merchant_id, asks, ["1", "x"], now=metering.clock.now()
    )
    assert (values, found) == ([Decimal(90)] * 5, {"1"})


@pytest.mark.spec("EVT-6")
async def test_events_of_another_merchant_or_customer__are_never_in_the_number(
    metering: Metering, other_metering: Metering
) -> None:
    acme, other = await metering.add_customer(), await metering.add_customer()
    foreign = await other_metering.add_customer()
    metric = await metering.add_sql_metric("SELECT count(*) FROM events WHERE true OR value = 1")
    await metering.record(event("1", acme), event("2", other))
    await other_metering.record(event("1", foreign))

    assert await metering.usage(metric, acme) == 1
    # The other merchant's id of a customer, under this merchant's metric, shows nothing.
    assert await metering.usage(metric, foreign) == 0


@pytest.mark.spec("EVT-6")
@pytest.mark.parametrize("indexed", [False, True], ids=["plain", "indexed"])
async def test_result_that_is_no_sensible_number__is_an_error_and_never_zero(
    metering: Metering, indexed: bool
) -> None:
    acme = await metering.add_customer()
    factors = " * ".join(["value"] * 4)
    metric = await metering.add_sql_metric(f"SELECT sum({factors}) FROM events", indexed=indexed)
    await metering.record(event("1", acme, "9" * 20))

    with pytest.raises(SqlMetricResultError) as failed:
        await metering.usage(metric, acme)

    assert failed.value.reason is Reason.SQL_METRIC_REFUSED
    assert failed.value.metadata["metric"] == metric.slug


@pytest.mark.spec("EVT-6")
async def test_window_of_a_month__reads_its_partitions_by_the_index(
    metering: Metering, postgres_dsn: str
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events")
    assert metric.sql is not None
    await metering.record(event("1", acme), event("2", acme, at=now - timedelta(days=29)))
    scope = SqlScope(
        merchant_id=metering.merchant_id,
        customer_id=acme.id,
        user_id="",
        window=Interval(now - timedelta(days=10), now),
    )
    query = window_query(read_sql(metric.sql.query).select, metric, scope)

    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("SET ROLE candela_events")
        connection.execute(sql_sandbox._EVENTS.encode())
        connection.execute(
            "INSERT INTO sandbox_scope VALUES (true, %s, %s, '', %s, %s)",
            [scope.merchant_id, acme.id, scope.window.start_at, scope.window.end_at],
        )
        connection.execute("SET LOCAL enable_seqscan = off")
        rows = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
    plan = "\n".join(row[0] for row in rows)

    assert "event_202601" in plan or "_hyper_" in plan
    assert "event_202512" not in plan
    assert "Index Cond: ((merchant_id = 'mer_" in plan.replace("(event.", "(")
    assert "happened_at >= '2026-01-21" in plan


@pytest.mark.spec("EVT-6", "KEY-2")
async def test_many_customers_asked_about_at_once__each_gets_their_own_number(
    metering: Metering,
) -> None:
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events")
    customers = [await metering.add_customer() for _ in range(6)]
    for number, customer in enumerate(customers):
        await metering.record(event(f"k{number}", customer, str(number)))

    got = await asyncio.gather(*[metering.counter(metric, customer) for customer in customers])

    assert list(got) == [Decimal(number) for number in range(6)]
