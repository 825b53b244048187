"""Corrections and fills of SQL metrics: what counts no longer leaves both flavours at once (EVT-4, EVT-6, EVT-10)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import usage_pb2
from candela.metering.v1 import usage_service_pb2 as usage_pb

from candela_server.catalog.create_metric import NewMetric
from candela_server.catalog.errors import SqlMetricRefusedError
from candela_server.catalog.model import Aggregation, Metric, SqlMetric
from candela_server.catalog.refs import ById
from candela_server.contract.values import interval_to_proto
from candela_server.customer.model import Customer, CustomerById, User
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering import fill_history
from candela_server.metering.fill_metric import FillMetric, NothingToFillError, fill_metric
from candela_server.metering.preview_metric import PreviewMetric, preview_metric
from candela_server.metering.sql_errors import SqlEventsDroppedError

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering, event, usage_servicer
from tests.integration.metering.correcting import (
    by_filter,
    by_keys,
    close,
    open_backfill,
    preview,
    record_into,
    replace,
    revert,
    void,
)

_SUM = "SELECT sum(value) FROM events"


async def _both(metering: Metering) -> tuple[Metric, Metric]:
    return (
        await metering.add_sql_metric(_SUM),
        await metering.add_sql_metric(_SUM, indexed=True),
    )


async def _usages(
    metering: Metering, metrics: tuple[Metric, Metric], who: Customer | User
) -> list[Decimal]:
    """As invoices and as checks see it, of each flavour; asked again, so that what was kept is read too."""
    return [
        await ask(metric, who)
        for metric in metrics
        for ask in (metering.usage, metering.counter, metering.usage)
    ]


@pytest.mark.spec("EVT-4", "EVT-6")
async def test_voided_event__leaves_both_flavours_at_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    metrics = await _both(metering)
    await metering.record(event("1", acme, "1"), event("2", ada, "2"), event("3", ada, "4"))
    assert await _usages(metering, metrics, acme) == [7] * 6
    assert await _usages(metering, metrics, ada) == [6] * 6

    assert await void(metering, **by_keys("2")) == 1
    assert await _usages(metering, metrics, acme) == [5] * 6
    assert await _usages(metering, metrics, ada) == [4] * 6

    assert await void(metering, **by_filter(metering.window(), customer=acme)) == 2
    assert await _usages(metering, metrics, acme) == [0] * 6
    assert await _usages(metering, metrics, ada) == [0] * 6


@pytest.mark.spec("EVT-4", "EVT-6")
async def test_replaced_event__changes_both_flavours(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    metrics = await _both(metering)
    long_ago = metering.clock.now() - timedelta(hours=7)
    await metering.record(event("1", acme, "1"), event("2", ada, "2", at=long_ago))
    assert await _usages(metering, metrics, acme) == [3] * 6
    assert await _usages(metering, metrics, ada) == [2] * 6

    await replace(metering, "2", event("2b", ada, "8"))

    assert await _usages(metering, metrics, acme) == [9] * 6
    assert await _usages(metering, metrics, ada) == [8] * 6


@pytest.mark.spec("EVT-4", "EVT-6")
async def test_backfill__counts_when_closed_and_no_longer_when_reverted(
    metering: Metering,
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    metrics = await _both(metering)
    at = now - timedelta(hours=3)
    await metering.record(event("1", acme, "1", at=at), event("2", acme, "2"))
    backfill = await open_backfill(
        metering, at - timedelta(hours=1), at + timedelta(hours=1), replaces_existing=True
    )
    await record_into(metering, backfill.id, event("b1", acme, "16", at=at))
    assert await _usages(metering, metrics, acme) == [3] * 6

    await close(metering, backfill.id)
    assert await _usages(metering, metrics, acme) == [18] * 6

    await revert(metering, backfill.id)
    assert await _usages(metering, metrics, acme) == [3] * 6


@pytest.mark.spec("EVT-4", "EVT-6", "EVT-10")
async def test_history_filled_in_many_steps__has_what_counts_before_and_after(
    metering: Metering, monkeypatch: pytest.MonkeyPatch, postgres_dsn: str
) -> None:
    monkeypatch.setattr(fill_history, "STEP_EVENTS", 7)
    acme, now = await metering.add_customer(), metering.clock.now()
    await metering.record(
        *[
            event(str(number), acme, "1", at=now - timedelta(minutes=10 * number))
            for number in range(60)
        ]
    )
    await void(metering, **by_keys("5", "41"))
    metric = await metering.add_sql_metric(_SUM, indexed=True, filled=False)
    assert await metering.usage(metric, acme) == 58
    await metering.record(event("new", acme, "100", at=now - timedelta(hours=4)))
    assert await metering.usage(metric, acme) == 158

    assert await metering.fill() == 1

    assert [await metering.usage(metric, acme) for _ in range(2)] == [158, 158]
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute(
            "SELECT status, read_count FROM metric_fill WHERE merchant_id = %s AND metric_id = %s",
            [metering.merchant_id, metric.id],
        ).fetchone()
        kept = connection.execute(
            "SELECT count(*) FROM sql_bucket WHERE merchant_id = %s AND measured = revision",
            [metering.merchant_id],
        ).fetchone()
    assert row == ("complete", 59)
    assert kept is not None
    assert kept[0] > 30


@pytest.mark.spec("EVT-6", "EVT-10")
async def test_filling_again__measures_all_of_history_anew(
    metering: Metering, postgres_dsn: str
) -> None:
    acme = await metering.add_customer()
    plain, indexed = await _both(metering)
    await metering.record(event("1", acme, "3"))
    assert await metering.usage(indexed, acme) == 3
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute(
            "UPDATE sql_bucket SET value = 99 WHERE merchant_id = %s", [metering.merchant_id]
        )
    assert await metering.usage(indexed, acme) == 99

    async with metering.db.writing(metering.merchant_id) as tx:
        await fill_metric(tx, metering.clock, FillMetric(metric=ById(indexed.id)))
        with pytest.raises(NothingToFillError):
            await fill_metric(tx, metering.clock, FillMetric(metric=ById(plain.id)))
    await metering.fill()

    assert await metering.usage(indexed, acme) == 3


@pytest.mark.spec("EVT-6", "EVT-8")
async def test_everyone_by_a_query_of_one_customer__is_refused_and_never_left_out_in_silence(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    metric = await metering.add_sql_metric(_SUM)
    await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("1", acme, "3"))
    servicer = usage_servicer(metering)
    with acting_as(metering.merchant_id, "GetUsage"):
        answer = await servicer.GetUsage(usage_pb.GetUsageRequest(everyone=True), None)
        assert [one.metric_slug for one in answer.usages] == ["calls"]
        assert answer.left_out_metric_ids == [metric.id]
        named = usage_pb.GetUsageRequest(everyone=True)
        named.metrics.add(id=metric.id)
        with pytest.raises(InvalidInput, match="do not add up over customers") as refused:
            await servicer.GetUsage(named, None)
        assert [one.field for one in refused.value.violations] == ["metrics[0]"]
    with acting_as(metering.merchant_id, "QueryUsage"):
        query = usage_pb.QueryUsageRequest(
            everyone=True,
            metric=metric_pb2.MetricRef(id=metric.id),
            window=interval_to_proto(metering.window()),
            bucket_size=usage_pb2.BUCKET_SIZE_DAY,
        )
        with pytest.raises(InvalidInput, match="do not add up over customers"):
            await servicer.QueryUsage(query, None)
        query.customer.id = acme.id
        day = await servicer.QueryUsage(query, None)
        assert day.fill_status == usage_pb2.FILL_STATUS_COMPLETE


@pytest.mark.spec("EVT-4", "EVT-6")
async def test_a_preview_of_a_void__names_the_queries_that_it_cannot_tell_of(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    queries = [await metering.add_sql_metric(_SUM, indexed=one) for one in (False, True)]
    await metering.add_sql_metric(_SUM, event_names=["other"])
    await metering.record(event("1", acme, "3"))

    shown = await preview(metering, **by_keys("1"))

    assert [one.metric_id for one in shown.changes] == [calls.id]
    assert list(shown.unmeasured_metric_ids) == sorted(one.id for one in queries)


@pytest.mark.spec("EVT-6", "EVT-8")
@pytest.mark.parametrize("indexed", [False, True])
async def test_a_question_with_filters__runs_the_query_over_what_passes_them(
    metering: Metering, indexed: bool
) -> None:
    acme, other = await metering.add_customer(), await metering.add_customer()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=indexed)
    now = metering.clock.now()
    await metering.record(
        event("1", acme, "3", at=now - timedelta(days=1), properties={"model": "x"}),
        event("2", acme, "4", at=now - timedelta(days=1), properties={"model": "y"}),
        event("3", acme, "5", at=now, properties={"model": "x"}),
        event("4", other, "70", at=now, properties={"model": "x"}),
    )
    assert await metering.usage(metric, acme) == 12
    query = usage_pb.QueryUsageRequest(
        metric=metric_pb2.MetricRef(id=metric.id),
        window=interval_to_proto(
            Interval(now - timedelta(days=1, hours=1), now + timedelta(hours=1))
        ),
    )
    query.customer.id = acme.id
    query.filters.add(property="model", operator=metric_pb2.FILTER_OPERATOR_EQUALS, values=["x"])

    with acting_as(metering.merchant_id, "QueryUsage"):
        whole = await usage_servicer(metering).QueryUsage(query, None)
        query.bucket_size = usage_pb2.BUCKET_SIZE_DAY
        daily = await usage_servicer(metering).QueryUsage(query, None)

    assert [one.value for one in whole.buckets] == ["8"]
    assert [one.value for one in daily.buckets if one.value != "0"] == ["3", "5"]


@pytest.mark.spec("EVT-6", "EVT-10")
async def test_preview_of_a_query__is_what_the_metric_says_once_saved(metering: Metering) -> None:
    acme, window = await metering.add_customer(), metering.window()
    await metering.record(event("1", acme, "3"), event("2", acme, "4"), event("3", acme, "9"))
    await void(metering, **by_keys("3"))

    def ask(query: str) -> PreviewMetric:
        new = NewMetric(
            slug="api-call",
            name="x",
            aggregation=Aggregation.SQL,
            event_names=(),
            property=None,
            unit_name="",
            sql=SqlMetric(query, True),
        )
        return PreviewMetric(metric=new, customer=CustomerById(acme.id), window=window)

    preview = await preview_metric(
        metering.db, metering.events, metering.merchant_id, metering.clock, ask(_SUM)
    )
    assert (preview.value, preview.event_count) == (7, 2)

    with pytest.raises(SqlMetricRefusedError):
        await preview_metric(
            metering.db,
            metering.events,
            metering.merchant_id,
            metering.clock,
            ask("SELECT 1 FROM users"),
        )


@pytest.mark.spec("EVT-6")
async def test_events_dropped_for_their_age__are_not_measured_as_nothing(
    metering: Metering, postgres_dsn: str
) -> None:
    acme, now = await metering.add_customer(), metering.clock.now()
    plain, indexed = await _both(metering)
    old_at = now - timedelta(hours=10)
    await metering.record(event("1", acme, "1", at=old_at), event("2", acme, "2"))
    assert await _usages(metering, (plain, indexed), acme) == [3] * 6

    with psycopg.connect(postgres_dsn) as connection:
        connection.execute(
            "INSERT INTO event_retention (kept_since) VALUES (%s)", [now - timedelta(hours=5)]
        )
    try:
        whole = Interval(_quarter(old_at) - timedelta(hours=1), now)
        with pytest.raises(SqlEventsDroppedError):
            await metering.usage(plain, acme, whole)
        # What was kept is still known; what is measured anew is young enough.
        await metering.record(event("3", acme, "4"))
        young = Interval(_quarter(now) - timedelta(hours=1), now + timedelta(minutes=67))
        assert await metering.usage(plain, acme, young) == 6
        old = Interval(_quarter(old_at) - timedelta(hours=1), now + timedelta(minutes=67))
        assert await metering.usage(indexed, acme, old) == 7
    finally:
        with psycopg.connect(postgres_dsn) as connection:
            connection.execute("DELETE FROM event_retention")


def _quarter(instant: datetime) -> datetime:
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
