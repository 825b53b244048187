"""Indexed metrics in SQL over everyone: what one query over all customers' events would say (EVT-6, EVT-8, EVT-12)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import usage_pb2
from candela.metering.v1 import usage_service_pb2 as usage_pb

from candela_server.contract.values import interval_to_proto
from candela_server.kernel.interval import Interval
from candela_server.metering import measure_sql, measure_sql_everyone
from candela_server.metering.query_everyone import aggregate_everyone
from candela_server.storage.sql_sandbox import SqlMetricTooCostlyError

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering, event, usage_servicer
from tests.integration.metering.correcting import by_keys, void

D = Decimal
CUSTOMERS = "SELECT count(DISTINCT customer_id) FROM events"


@pytest.mark.spec("EVT-6", "EVT-8", "EVT-12")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # of all events, after one more, and after the first of Acme's is void
        (CUSTOMERS, ["2", "3", "3"]),
        ("SELECT count(*) FROM events WHERE value > 1", ["3", "4", "3"]),
        ("SELECT sum(value) FROM events", ["10", "19", "16"]),
        ("SELECT max(value) FROM events", ["4", "9", "9"]),
        ("SELECT min(value) FROM events", ["1", "1", "1"]),
        ("SELECT count(DISTINCT properties->>'model') FROM events", ["2", "2", "1"]),
    ],
)
async def test_indexed_query_over_everyone__follows_every_change_before_and_after_its_fill(
    metering: Metering, query: str, expected: list[str]
) -> None:
    acme, beta, gamma = [await metering.add_customer() for _ in range(3)]
    ada = await metering.add_user(acme)
    now = metering.clock.now()
    window = Interval(now - timedelta(days=3, seconds=7), now + timedelta(minutes=67))
    await metering.record(
        event("1", ada, "3", at=now - timedelta(days=2), properties={"model": "x"}),
        event("2", acme, "4", at=window.start_at, properties={"model": "y"}),
        event("3", beta, "2", at=now - timedelta(days=1), properties={"model": "y"}),
        event("4", beta, "1", at=now, properties={"model": "y"}),
        event("5", gamma, "8", at=window.start_at - timedelta(microseconds=1)),
        event("6", gamma, "8", name="other"),
    )
    metric = await metering.add_sql_metric(query, indexed=True, filled=False)

    async def usage() -> list[Decimal]:
        halves = [
            Interval(window.start_at, now - timedelta(days=1, minutes=1)),
            Interval(now - timedelta(days=1, minutes=1), window.end_at),
        ]
        found = await aggregate_everyone(
            metering.events, metering.merchant_id, metric, [window, *halves]
        )
        assert (
            await aggregate_everyone(metering.events, metering.merchant_id, metric, [window])
            == found[:1]
        )
        return found

    unfilled = await usage()
    await metering.fill()
    filled = await usage()
    await metering.record(event("7", gamma, "9", at=now - timedelta(hours=5)))
    more = await usage()
    await void(metering, **by_keys("1"))
    less = await usage()

    assert unfilled == filled
    assert [one[0] for one in (filled, more, less)] == [D(one) for one in expected]


@pytest.mark.spec("EVT-6", "EVT-12")
async def test_everyone_by_an_indexed_query__is_asked_for_by_name_and_by_day(
    metering: Metering,
) -> None:
    for number in range(3):
        await metering.record(event(str(number), await metering.add_customer()))
    metric = await metering.add_sql_metric(CUSTOMERS, indexed=True)
    servicer = usage_servicer(metering)
    with acting_as(metering.merchant_id, "GetUsage"):
        unnamed = await servicer.GetUsage(usage_pb.GetUsageRequest(everyone=True), None)
        named = await servicer.GetUsage(
            usage_pb.GetUsageRequest(
                everyone=True, metrics=[metric_pb2.MetricRef(slug=metric.slug)]
            ),
            None,
        )
    with acting_as(metering.merchant_id, "QueryUsage"):
        days = await servicer.QueryUsage(
            usage_pb.QueryUsageRequest(
                everyone=True,
                metric=metric_pb2.MetricRef(id=metric.id),
                window=interval_to_proto(metering.window()),
                bucket_size=usage_pb2.BUCKET_SIZE_DAY,
            ),
            None,
        )

    assert not unnamed.usages
    assert [one.value for one in named.usages] == ["3"]
    assert sorted(one.value for one in days.buckets)[-2:] == ["0", "3"]


@pytest.mark.spec("EVT-6")
async def test_more_customers_than_one_call_may_read__are_refused_and_not_left_out(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await metering.record(event(str(number), await metering.add_customer()))
    metric = await metering.add_sql_metric(CUSTOMERS, indexed=True, filled=False)
    monkeypatch.setattr(measure_sql_everyone, "MAX_CUSTOMERS", 2)
    with pytest.raises(SqlMetricTooCostlyError):
        await aggregate_everyone(metering.events, metering.merchant_id, metric, [metering.window()])
    await metering.fill()
    monkeypatch.setattr(measure_sql, "BUDGET_S", -1.0)

    with pytest.raises(SqlMetricTooCostlyError):
        await aggregate_everyone(metering.events, metering.merchant_id, metric, [metering.window()])
