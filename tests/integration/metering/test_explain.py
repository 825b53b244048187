"""How usage is read, as the database plans it: kept here so that no change makes it slower unseen (EVT-8)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.customer.model import Customer
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk
from candela_server.metering.query_usage import aggregate_many
from candela_server.storage.events import Connection

from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_of

_MONTH = Interval(datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC))


class _Explaining:
    """A reader's connection that plans each statement beside running it, and keeps the plans."""

    def __init__(self, connection: Connection, plans: list[dict[str, Any]]) -> None:
        self._connection = connection
        self._plans = plans

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Runs the statement; a SELECT is explained before."""
        if statement.lstrip().startswith(("SELECT", "WITH")):
            explained = await self._connection.execute(
                "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) " + statement, parameters
            )
            row = await explained.fetchone()
            assert row is not None
            self._plans.append(row[0][0]["Plan"])
        return await self._connection.execute(statement, parameters)


class _ExplainingStore:
    """The event store, but for its readers."""

    def __init__(self, metering: Metering) -> None:
        self._metering = metering
        self.plans: list[dict[str, Any]] = []

    @asynccontextmanager
    async def reader(self, *, within_s: float | None = None) -> AsyncIterator[_Explaining]:
        """A connection that explains."""
        async with self._metering.events.reader(within_s=within_s) as connection:
            yield _Explaining(connection, self.plans)


async def _plans(
    metering: Metering, acme: Customer, window: Interval, *aggregations: Aggregation
) -> list[dict[str, Any]]:
    """The plans of one answer, metrics of these aggregations made by the way."""
    store = _ExplainingStore(metering)
    asks = [
        UsageAsk(metric=metric, who=usage_of(acme), window=window)
        for metric in metering.metrics
        if metric.aggregation in aggregations
    ]
    await aggregate_many(store, metering.merchant_id, asks)  # type: ignore[arg-type]
    return store.plans


def _nodes(plans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for plan in plans:
        yield plan
        yield from _nodes(plan.get("Plans", []))


def _reads(plans: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """The nodes that read a table, its partitions or its chunks, and were run."""
    return [
        node
        for node in _nodes(plans)
        if node.get("Actual Loops", 0) > 0
        and "Relation Name" in node
        # What chooses among chunks, and reads none itself.
        and node["Node Type"] != "Custom Scan"
        and (
            re.fullmatch(rf"{table}(_\d+)?", node["Alias"])
            or (table == "event" and re.fullmatch(r"_hyper_\d+_\d+_chunk", node["Relation Name"]))
        )
    ]


async def _prepare(metering: Metering, count: int = 300) -> Customer:
    """Events over three months, and others' beside them, so that a scan of all would be a bad plan."""
    metering.metrics = [
        await metering.add_metric(
            one.value.replace("_", "-"),
            one,
            property_name="model" if one is Aggregation.UNIQUE else None,
        )
        for one in BUILT_IN
    ]
    acme = await metering.add_customer()
    for start in range(0, count, 1000):
        await metering.record(
            *[
                event(
                    f"{acme.id}-{number}",
                    acme,
                    "2",
                    at=metering.clock.now() - timedelta(minutes=150 * number % 47_000),
                    properties={"model": f"m{number % 5}"},
                )
                for number in range(start, min(start + 1000, count))
            ]
        )
    return acme


async def _analyze(metering: Metering) -> None:
    async with metering.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute("ANALYZE usage_rollup, usage_distinct, event")


@pytest.mark.spec("EVT-8")
async def test_a_month_of_usage__reads_rollups_by_index_and_no_event(metering: Metering) -> None:
    acme = await _prepare(metering)
    for _ in range(12):
        await _fill_beside(metering)
    await _analyze(metering)

    plans = await _plans(metering, acme, _MONTH, *Aggregation)

    rollups, distinct = _reads(plans, "usage_rollup"), _reads(plans, "kept")
    assert rollups
    assert distinct
    for node in rollups + distinct:
        assert node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan"), node
        condition = node.get("Index Cond", "") or node["Recheck Cond"]
        for column in ("merchant_id", "customer_id", "metric_id", "user_id", "bucket_at"):
            assert column in condition, (column, condition)
        assert node.get("Rows Removed by Filter", 0) == 0
    assert [node for node in _reads(plans, "event") if node["Actual Rows"] > 0] == []


async def _fill_beside(metering: Metering) -> None:
    """Another customer with as many rollups."""
    other = await metering.add_customer()
    await metering.record(
        *[
            event(
                f"{other.id}-{number}",
                other,
                at=metering.clock.now() - timedelta(minutes=15 * number),
                properties={"model": "x"},
            )
            for number in range(400)
        ]
    )


@pytest.mark.spec("EVT-8")
async def test_a_hundred_times_the_events__read_as_many_rows_and_pages(alone: Metering) -> None:
    # In a table without holes, which rows would be spread over as they come.
    alone.metrics = [
        await alone.add_metric(one.value.replace("_", "-"), one)
        for one in BUILT_IN
        if one is not Aggregation.UNIQUE
    ]
    few, many = await alone.add_customer(), await alone.add_customer()
    quarters = [_MONTH.start_at + timedelta(minutes=15 * number) for number in range(100)]
    for customer, times in ((few, 1), (many, 100)):
        for start in range(0, len(quarters), 50):
            await alone.record(
                *[
                    event(
                        f"{customer.id}-{quarter}-{time}",
                        customer,
                        at=quarter + timedelta(seconds=time),
                    )
                    for quarter in quarters[start : start + 50]
                    for time in range(times)
                ]
            )
    await _analyze(alone)

    work = []
    for customer in (few, many):
        plans = await _plans(alone, customer, _MONTH, *Aggregation)
        read = _reads(plans, "usage_rollup")
        work.append(
            (
                sum(node["Actual Rows"] * node["Actual Loops"] for node in read),
                sum(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in read),
            )
        )

    (few_rows, few_pages), (many_rows, many_pages) = work
    assert many_rows == few_rows > 0
    assert many_pages <= few_pages * 1.2 + 10


@pytest.mark.spec("EVT-8")
async def test_a_cut_quarter_hour__looks_into_its_own_partition_alone(metering: Metering) -> None:
    acme = await _prepare(metering, count=4000)
    await _analyze(metering)
    # Both ends lie in one month, and in one week: what other months hold is not looked at.
    window = Interval(
        datetime(2026, 1, 20, 10, 7, 23, tzinfo=UTC), datetime(2026, 1, 20, 18, 1, tzinfo=UTC)
    )

    plans = await _plans(metering, acme, window, Aggregation.SUM)

    read = _reads(plans, "event")
    assert len({node["Relation Name"] for node in read}) == 1
    for node in read:
        assert "Index" in node["Node Type"] or "Bitmap" in node["Node Type"], node
    assert await _partition_count(metering) > 1


async def _partition_count(metering: Metering) -> int:
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass"
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])
