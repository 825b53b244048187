"""Usage asked for in every way: calendars of any zone, users, everyone, filters (EVT-8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import usage_pb2, usage_service_pb2

from candela_server.catalog.model import Aggregation, Metric
from candela_server.contract.values import interval_to_proto
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering import measure_events

from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_servicer

pytestmark = pytest.mark.usefixtures("called_by_merchant")


async def _query(
    metering: Metering, metric: Metric, window: Interval, **more: object
) -> list[usage_pb2.UsageBucket]:
    if not {"customer", "user", "everyone"} & more.keys():
        more["customer"] = {"external_id": "acme"}
    answer = await usage_servicer(metering).QueryUsage(
        usage_service_pb2.QueryUsageRequest(
            metric={"id": metric.id},
            window=interval_to_proto(window),
            **more,  # type: ignore[arg-type]
        ),
        None,
    )
    return list(answer.buckets)


def _values(buckets: list[usage_pb2.UsageBucket]) -> list[str]:
    return [one.value for one in buckets]


def _hours(buckets: list[usage_pb2.UsageBucket]) -> list[float]:
    return [(one.window.end_at.seconds - one.window.start_at.seconds) / 3600 for one in buckets]


def _day(zone: str, year: int, month: int, day: int, days: int = 1) -> Interval:
    start = datetime(year, month, day, tzinfo=ZoneInfo(zone))
    end = datetime(year, month, day + days, tzinfo=ZoneInfo(zone))
    return Interval(start.astimezone(UTC), end.astimezone(UTC))


_DAYS = [
    # zone, clock's present, day, hours of that day, hours that the day is cut into
    ("America/New_York", datetime(2026, 11, 2, 12, tzinfo=UTC), (2026, 11, 1), 25, 25),
    ("America/New_York", datetime(2026, 3, 9, 12, tzinfo=UTC), (2026, 3, 8), 23, 23),
    ("Europe/Berlin", datetime(2026, 10, 26, 12, tzinfo=UTC), (2026, 10, 25), 25, 25),
    ("Asia/Kathmandu", datetime(2026, 5, 3, 12, tzinfo=UTC), (2026, 5, 2), 24, 24),
    ("Asia/Kolkata", datetime(2026, 5, 3, 12, tzinfo=UTC), (2026, 5, 2), 24, 24),
    # Half an hour is repeated, in the second hour of the day.
    ("Australia/Lord_Howe", datetime(2026, 4, 6, 12, tzinfo=UTC), (2026, 4, 5), 24.5, 25),
    # Midnight does not exist.
    ("America/Santiago", datetime(2026, 9, 7, 12, tzinfo=UTC), (2026, 9, 6), 23, 23),
]


@pytest.mark.spec("EVT-8")
@pytest.mark.parametrize(
    ("zone", "present", "day", "hours", "parts"), _DAYS, ids=lambda one: str(one)
)
async def test_a_day_on_which_the_clock_changes__is_as_long_as_it_is_and_no_hour_is_lost(
    metering: Metering,
    zone: str,
    present: datetime,
    day: tuple[int, int, int],
    hours: float,
    parts: int,
) -> None:
    metering.clock.advance(present)
    acme = await metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.SUM)
    window = _day(zone, *day)
    quarters = int(hours * 4)
    # Each quarter-hour has its own power of two, so that a sum says what is in it.
    await metering.record(
        *[
            event(
                f"k{number}",
                acme,
                str(2**number),
                at=window.start_at + timedelta(minutes=15 * number),
            )
            for number in range(quarters)
        ]
    )
    around = Interval(window.start_at - timedelta(days=1), window.end_at + timedelta(hours=1))

    by_day = await _query(
        metering, calls, around, bucket_size=usage_pb2.BUCKET_SIZE_DAY, time_zone=zone
    )
    by_hour = await _query(
        metering, calls, window, bucket_size=usage_pb2.BUCKET_SIZE_HOUR, time_zone=zone
    )
    by_month = await _query(
        metering, calls, window, bucket_size=usage_pb2.BUCKET_SIZE_MONTH, time_zone=zone
    )

    assert _hours(by_day)[1] == hours
    assert _values(by_day) == ["0", str(2**quarters - 1), "0"]
    assert len(by_hour) == parts
    assert sum(_hours(by_hour)) == hours
    assert sum(int(one) for one in _values(by_hour)) == 2**quarters - 1
    assert all(int(one) for one in _values(by_hour))
    assert _values(by_month) == [str(2**quarters - 1)]


@pytest.mark.spec("EVT-8")
async def test_months_of_a_year__follow_the_zones_calendar(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    new_year = datetime(2025, 12, 31, 18, 15, tzinfo=UTC)  # midnight in Kathmandu
    await metering.record(
        event("a", acme, at=new_year - timedelta(microseconds=1)), event("b", acme, at=new_year)
    )

    got = await _query(
        metering,
        calls,
        Interval(datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
        bucket_size=usage_pb2.BUCKET_SIZE_MONTH,
        time_zone="Asia/Kathmandu",
    )

    assert len(got) == 13
    assert _values(got)[6:9] == ["1", "1", "0"]


@pytest.mark.spec("EVT-8")
async def test_a_users_usage_and_everyones__are_parts_of_one_sum(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    beta = await metering.add_customer("beta")
    ada = await metering.add_user(acme, "ada")
    start = datetime(2026, 1, 20, 10, tzinfo=UTC)
    metrics = [
        await metering.add_metric(
            one.value.replace("_", "-"),
            one,
            property_name="model" if one is Aggregation.UNIQUE else None,
        )
        for one in BUILT_IN
    ]
    await metering.record(
        event("a", acme, "2", at=start + timedelta(minutes=3), properties={"model": "x"}),
        event("b", ada, "3", at=start + timedelta(minutes=20), properties={"model": "y"}),
        event("c", beta, "7", at=start + timedelta(minutes=21), properties={"model": "y"}),
        event("d", beta, "1", at=start + timedelta(minutes=80), properties={"model": "z"}),
        event("e", acme, "4", at=start + timedelta(minutes=80), properties={"model": "z"}),
    )
    # Ends that cut quarter-hours: the first event is outside, the last ones are inside.
    window = Interval(start + timedelta(minutes=4), start + timedelta(minutes=81))

    got = {
        metric.slug: [
            _values(await _query(metering, metric, window, **who))[0]
            for who in (
                {"customer": {"external_id": "acme"}},
                {"user": {"external_id": "ada"}},
                {"everyone": True},
            )
        ]
        for metric in metrics
    }
    by_hour = await _query(
        metering,
        metrics[0],
        Interval(start, start + timedelta(hours=3)),
        bucket_size=usage_pb2.BUCKET_SIZE_HOUR,
        everyone=True,
    )
    of_all = await usage_servicer(metering).GetUsage(
        usage_service_pb2.GetUsageRequest(
            everyone=True,
            metrics=[metric_pb2.MetricRef(slug="sum")],
            window=interval_to_proto(window),
        ),
        None,
    )

    assert got["count"] == ["2", "1", "4"]
    assert got["sum"] == ["7", "3", "15"]
    assert got["average"] == ["3.5", "3", "3.75"]
    assert got["max"] == ["4", "3", "7"]
    assert got["min"] == ["3", "3", "1"]
    assert got["unique"] == ["2", "1", "2"]
    assert got["last"][:2] == ["4", "3"]
    assert got["last"][2] in ("1", "4")  # of one instant: whose key's hash is the greater
    assert _values(by_hour) == ["3", "2", "0"]
    assert (of_all.customer_id, of_all.usages[0].value) == ("", "15")


@pytest.mark.spec("EVT-8", "EVT-10")
async def test_everyones_usage__is_the_same_before_history_is_read(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    beta = await metering.add_customer("beta")
    await metering.record(
        *[
            event(
                f"k{number}", (acme, beta)[number % 2], "2", properties={"model": str(number % 3)}
            )
            for number in range(20)
        ]
    )
    metrics = [
        await metering.add_metric("sum", Aggregation.SUM, filled=False),
        await metering.add_metric(
            "models", Aggregation.UNIQUE, property_name="model", filled=False
        ),
    ]
    before = [await _query(metering, one, metering.window(), everyone=True) for one in metrics]
    await metering.fill()
    after = [await _query(metering, one, metering.window(), everyone=True) for one in metrics]

    assert [_values(one) for one in before] == [_values(one) for one in after] == [["40"], ["3"]]


@pytest.mark.spec("EVT-8", "EVT-5")
async def test_filters_of_a_question__narrow_the_metrics_own(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer("acme")
    ada = await metering.add_user(acme, "ada")
    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(
        event("a", acme, "1", properties={"region": "eu"}),
        event("b", ada, "2", properties={"region": "eu"}),
        event("c", ada, "4", properties={"region": "us"}),
    )
    region = metric_pb2.PropertyFilter(
        property="region", operator=metric_pb2.FILTER_OPERATOR_EQUALS, values=["eu"]
    )
    window = metering.window()

    of_customer = await _query(metering, total, window, filters=[region])
    of_user = await _query(metering, total, window, filters=[region], user={"external_id": "ada"})
    by_day = await _query(
        metering, total, window, filters=[region], bucket_size=usage_pb2.BUCKET_SIZE_DAY
    )
    with pytest.raises(InvalidInput) as too_long:
        await _query(
            metering,
            total,
            Interval(window.start_at - timedelta(days=30), window.end_at),
            filters=[region],
            everyone=True,
        )
    monkeypatch.setattr(measure_events, "MAX_EVENTS", 2)
    with pytest.raises(InvalidInput, match="shorter window"):
        await _query(metering, total, window, filters=[region])

    assert (_values(of_customer), _values(of_user)) == (["3"], ["2"])
    assert sum(Decimal(one) for one in _values(by_day)) == 3
    assert [one.field for one in too_long.value.violations] == ["filters", "window"]


@pytest.mark.spec("EVT-8")
async def test_a_question_without_sense__is_refused_by_field(metering: Metering) -> None:
    await metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    start = datetime(2026, 1, 1, tzinfo=UTC)

    with pytest.raises(InvalidInput) as nobody:
        await _query(metering, calls, Interval(start, start + timedelta(1)), everyone=False)
    with pytest.raises(InvalidInput, match="larger buckets"):
        await _query(
            metering,
            calls,
            Interval(start, start + timedelta(days=42)),
            bucket_size=usage_pb2.BUCKET_SIZE_HOUR,
        )
    with pytest.raises(InvalidInput, match="1100 days"):
        await _query(metering, calls, Interval(start, start + timedelta(days=1101)))

    assert nobody.value.violations[0].field == "who"
