"""One number from three ways: rollups, raw events, and a model in memory (EVT-5, EVT-7, EVT-8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_server.catalog.model import (
    Aggregation,
    FilterOperator,
    Metric,
    PropertyFilter,
    UniqueOf,
)
from candela_server.customer.model import Customer, User
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.metering import usage_store
from candela_server.metering.model import BucketSize, UsageAsk
from candela_server.metering.query_usage import aggregate_many, query_buckets
from candela_server.metering.rules.aggregation import EMPTY, average, measured
from candela_server.metering.rules.event_filter import predicate
from candela_server.metering.rules.metric_reading import event_sql

from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_of


@dataclass(frozen=True)
class Fact:
    """One event of the model."""

    key: str
    user: int | None
    name: str
    value: Decimal
    at: datetime
    model: str | None


_BASE = datetime(2026, 1, 20, 10, 0, tzinfo=UTC)
_instants = st.integers(0, 4 * 3600 * 1_000_000).map(
    lambda us: _BASE + timedelta(microseconds=us)
) | st.sampled_from([_BASE + timedelta(minutes=15 * quarter) for quarter in range(17)])
_values = st.decimals(
    min_value=Decimal("-1000000000000000000000"),
    max_value=Decimal("1000000000000000000000"),
    places=12,
    allow_nan=False,
)
_facts = st.lists(
    st.builds(
        Fact,
        key=st.just(""),
        user=st.sampled_from([None, 0, 1]),
        name=st.sampled_from(["api-call", "ai-token", "other"]),
        value=_values | st.integers(-3, 3).map(Decimal),
        at=_instants,
        model=st.sampled_from([None, "x", "y", "1"]),
    ),
    max_size=25,
)
_windows = st.lists(_instants, min_size=2, max_size=2, unique=True).map(
    lambda ends: Interval(min(ends), max(ends))
)


@pytest.mark.spec("EVT-5", "EVT-7")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(facts=_facts, windows=st.lists(_windows, min_size=1, max_size=3))
async def test_rollups_raw_events_and_a_model__agree_on_every_window(
    metering: Metering, facts: list[Fact], windows: list[Interval]
) -> None:
    acme = await metering.add_customer()
    users = [await metering.add_user(acme), await metering.add_user(acme)]
    metrics = await _metrics(metering)
    facts = [replace(fact, key=f"{acme.id}-{number}") for number, fact in enumerate(facts)]
    for start in range(0, len(facts), 7):
        recorded = await metering.record(
            *[_event(fact, acme, users) for fact in facts[start : start + 7]]
        )
        assert not recorded.rejections

    for who, number in [(acme, None), (users[0], 0), (users[1], 1)]:
        asks = [
            UsageAsk(metric=metric, who=usage_of(who), window=window)
            for metric in metrics
            for window in windows
        ]
        got = await aggregate_many(metering.events, metering.merchant_id, asks)
        want = [_model(metering, ask, facts, number, users) for ask in asks]
        assert got == want
        assert await _from_raw_events(metering, asks) == want
        assert await metering.counters.read(metering.merchant_id, asks) == want


async def _metrics(metering: Metering) -> list[Metric]:
    if metering.metrics:
        return metering.metrics
    for aggregation in BUILT_IN:
        metering.metrics.append(
            await metering.add_metric(
                aggregation.value,
                aggregation,
                event_names=["api-call", "ai-token"],
                property_name="model" if aggregation is Aggregation.UNIQUE else None,
            )
        )
    return metering.metrics


def _event(fact: Fact, acme: Customer, users: list[User]) -> object:
    return event(
        fact.key,
        acme if fact.user is None else users[fact.user],
        format(fact.value, "f"),
        name=fact.name,
        at=fact.at,
        properties=None if fact.model is None else {"model": fact.model},
    )


def _model(
    metering: Metering, ask: UsageAsk, facts: list[Fact], user: int | None, users: list[User]
) -> Decimal:
    """The plainest possible meaning of each aggregation."""
    read = [
        fact
        for fact in facts
        if fact.name in ask.metric.event_names
        and ask.window.contains(fact.at)
        and (user is None or fact.user == user)
    ]
    values = [fact.value for fact in read]
    match ask.metric.aggregation:
        case Aggregation.COUNT:
            return Decimal(len(read))
        case Aggregation.SUM:
            return _exact_sum(values)
        case Aggregation.MIN:
            return min(values, default=Decimal(0))
        case Aggregation.MAX:
            return max(values, default=Decimal(0))
        case Aggregation.AVERAGE:
            return average(_exact_sum(values), len(values))
        case Aggregation.UNIQUE:
            return Decimal(len({fact.model for fact in read} - {None}))
        case Aggregation.LAST:
            if not read:
                return Decimal(0)
            prefix = metering.merchant_id.encode() + b"\x00"
            return max(
                read,
                key=lambda fact: (
                    fact.at,
                    blake2b(prefix + fact.key.encode(), digest_size=16).digest(),
                ),
            ).value


def _exact_sum(values: list[Decimal]) -> Decimal:
    with exact():
        return sum(values, Decimal(0))


async def _from_raw_events(metering: Metering, asks: list[UsageAsk]) -> list[Decimal]:
    """The same from the events alone."""
    got = []
    async with metering.events.reader() as connection:
        for ask in asks:
            part = usage_store.Part(
                ask.who.customer_id,
                ask.metric.id,
                ask.who.user_id or "",
                ask.window.start_at,
                ask.window.end_at,
            )
            reading = event_sql(ask.metric)
            if ask.metric.aggregation is Aggregation.UNIQUE:
                [count] = await usage_store.count_distinct(
                    connection, metering.merchant_id, ask.metric.id, [[]], [[part]], reading
                )
                got.append(measured(ask.metric, replace(EMPTY, distinct_count=count)))
            else:
                [tally] = await usage_store.read_events(
                    connection, metering.merchant_id, [part], reading, last=True
                )
                got.append(measured(ask.metric, tally))
    return got


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
