"""Usage as it is asked for: filters, users, calendars and merchants (EVT-5, EVT-8); the law is in test_usage_laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from candela_server.catalog.model import (
    Aggregation,
    FilterOperator,
    PropertyFilter,
    UniqueOf,
)
from candela_server.kernel.interval import Interval
from candela_server.metering.model import BucketSize, UsageAsk
from candela_server.metering.query_usage import query_buckets
from candela_server.metering.rules.event_filter import predicate

from tests.integration.metering.builders import Metering, event, usage_of
from tests.integration.metering.usage_model import from_events


async def _from_raw_events(metering: Metering, asks: list[UsageAsk]) -> list[Decimal]:
    async with metering.events.reader() as connection:
        return await from_events(connection, metering.merchant_id, asks)


_FILTERS = [
    PropertyFilter("model", FilterOperator.EQUALS, ("x",)),
    PropertyFilter("model", FilterOperator.IN, ("x", "1", "true")),
    PropertyFilter("model", FilterOperator.PREFIX, ("x%",)),
    PropertyFilter("model", FilterOperator.AT_LEAST, ("1",)),
    PropertyFilter("model", FilterOperator.LESS_THAN, ("1.5",)),
    PropertyFilter("model", FilterOperator.EXISTS),
    PropertyFilter("model", FilterOperator.ABSENT),
]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize("one", _FILTERS, ids=lambda one: one.operator.value)
async def test_a_filter__means_the_same_in_python_and_in_sql(
    metering: Metering, one: PropertyFilter
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    sent: list[dict[str, object]] = [
        {},
        {"model": "x"},
        {"model": "x%y"},
        {"model": "1"},
        {"model": 1},
        {"model": 1.5},
        {"model": True},
        {"model": ""},
        {"other": "x"},
    ]
    await metering.record(
        *[event(f"k{number}", acme, properties=each) for number, each in enumerate(sent)]
    )
    holds = predicate([one])
    want = sum(
        holds(
            {
                name: value if isinstance(value, str | bool) else Decimal(str(value))
                for name, value in each.items()
            }
        )
        for each in sent
    )

    [got] = await _from_raw_events(
        metering,
        [
            UsageAsk(
                metric=replace(calls, filters=(one,)),
                who=usage_of(acme),
                window=metering.window(),
            )
        ],
    )

    assert got == want


@pytest.mark.spec("EVT-5")
async def test_unique_users__are_told_apart_in_history(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada, bob = await metering.add_user(acme), await metering.add_user(acme)
    seats = await metering.add_metric("seats", Aggregation.UNIQUE, property_name="model")
    await metering.record(event("a", ada), event("b", ada), event("c", bob), event("d", acme))

    by_user = replace(seats, property=None, unique_of=UniqueOf.USER)
    got = await _from_raw_events(
        metering, [UsageAsk(metric=by_user, who=usage_of(acme), window=metering.window())]
    )

    assert got == [2]


@pytest.mark.spec("EVT-8")
async def test_days_of_a_time_zone__follow_its_calendar(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    # 04:59:59.999999Z is still the 19th in New York, 05:00Z is the 20th.
    for number, at in enumerate(
        [
            datetime(2026, 1, 20, 4, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 1, 20, 5, tzinfo=UTC),
            datetime(2026, 1, 21, 4, 59, tzinfo=UTC),
        ]
    ):
        await metering.record(event(f"k{number}", acme, at=at))

    got = await query_buckets(
        metering.events,
        metering.merchant_id,
        calls,
        usage_of(acme),
        Interval(datetime(2026, 1, 19, 5, tzinfo=UTC), datetime(2026, 1, 22, 5, tzinfo=UTC)),
        size=BucketSize.DAY,
        zone=ZoneInfo("America/New_York"),
    )

    assert [bucket.value for bucket in got] == [1, 2, 0]


@pytest.mark.spec("EVT-8")
async def test_another_merchants_events__are_never_seen(
    metering: Metering, other_metering: Metering
) -> None:
    acme = await metering.add_customer("acme")
    foreign = await other_metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await other_metering.add_metric("calls", Aggregation.COUNT)

    got = await other_metering.record(event("k1", foreign), event("k2", acme))
    same_key = await metering.record(event("k1", acme))

    assert [one.name for one in got.outcomes] == ["ACCEPTED", "REJECTED"]
    assert [one.name for one in same_key.outcomes] == ["ACCEPTED"]
    assert await metering.usage(calls, acme) == 1
    assert await metering.usage(calls, foreign) == 0
    assert await metering.counter(calls, foreign) == 0
    async with metering.db.reading(metering.merchant_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM usage_rollup") == 1
        with pytest.raises(Exception, match="permission denied"):
            await tx.fetch("SELECT * FROM event")
