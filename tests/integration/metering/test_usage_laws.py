"""One number from three ways, for any metric, events and window: rollups, raw events, a model (EVT-5, EVT-7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_server.catalog.create_metric import NewMetric, create_metric
from candela_server.catalog.model import (
    Aggregation,
    FilterOperator,
    Metric,
    PropertyFilter,
    UniqueOf,
)
from candela_server.customer.model import Customer, User
from candela_server.kernel.caller import Mode
from candela_server.kernel.interval import Interval
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.metering.model import EVERYONE, BucketSize, UsageAsk, UsageOf
from candela_server.metering.query_everyone import aggregate_everyone
from candela_server.metering.query_groups import query_groups
from candela_server.metering.query_usage import aggregate_many, query_buckets
from candela_server.metering.rules.bucket import cut

from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_of
from tests.integration.metering.layering import climbing, merge
from tests.integration.metering.usage_model import (
    Asked,
    Fact,
    UsageModel,
    from_events,
    groups_from_events,
)

_BASE = datetime(2026, 1, 20, 10, 0, tzinfo=UTC)
_QUARTERS = [_BASE + timedelta(minutes=15 * quarter) for quarter in range(17)]
_instants = (
    st.integers(0, 4 * 3600 * 1_000_000).map(lambda us: _BASE + timedelta(microseconds=us))
    | st.sampled_from(_QUARTERS)
    | st.sampled_from(_QUARTERS[1:]).map(lambda border: border - timedelta(microseconds=1))
)
_windows = st.lists(_instants, min_size=2, max_size=2, unique=True).map(
    lambda ends: Interval(min(ends), max(ends))
)
_values = st.decimals(Decimal("-1e21"), Decimal("1e21"), places=12, allow_nan=False) | st.integers(
    -3, 3
).map(Decimal)
_properties = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["x", "y", "x%", "", "1", 1, True, 'ä"\\\n\u2028', "x, y"]),
        "region": st.sampled_from(["eu-west", "eu-north", "us", ""]),
        "size": st.sampled_from([0, 1, -2, 1.5, 10, "10", True]),
    },
)
_facts = st.lists(
    st.builds(
        Fact,
        key=st.just(""),
        customer=st.sampled_from([0, 1]),
        user=st.sampled_from([None, 0, 1]),
        name=st.sampled_from(["api-call", "ai-token", "api-call", "other"]),
        value=_values,
        at=_instants,
        properties=_properties,
    ),
    min_size=6,
    max_size=25,
)
_filters = st.lists(
    st.builds(
        PropertyFilter,
        st.sampled_from(["model", "region", "size"]),
        st.sampled_from([FilterOperator.EXISTS, FilterOperator.ABSENT]),
    )
    | st.builds(
        PropertyFilter,
        st.sampled_from(["model", "region", "size"]),
        st.sampled_from([FilterOperator.EQUALS, FilterOperator.PREFIX]),
        st.sampled_from([("x",), ("1",), ("eu-",), ("true",)]),
    )
    | st.just(PropertyFilter("region", FilterOperator.IN, ("eu-west", "us")))
    | st.builds(
        PropertyFilter,
        st.sampled_from(["model", "size"]),
        st.sampled_from([FilterOperator.AT_LEAST, FilterOperator.LESS_THAN]),
        st.sampled_from([("1",), ("1.5",), ("-2",)]),
    ),
    max_size=2,
).map(tuple)


@dataclass(frozen=True)
class Defined:
    """A metric of an example, and whether it is made after the events it reads."""

    new: NewMetric
    late: bool


@st.composite
def _metric(draw: st.DrawFn, aggregation: Aggregation, unique_of: UniqueOf | None) -> Defined:
    of_property = "model" if unique_of is UniqueOf.PROPERTY else None
    if aggregation not in (Aggregation.UNIQUE, Aggregation.COUNT):
        of_property = draw(st.sampled_from([None, None, "size"]))
    return Defined(
        NewMetric(
            slug="",
            name="",
            aggregation=aggregation,
            event_names=draw(st.sampled_from([("api-call", "ai-token"), ("api-call",)])),
            property=of_property,
            unit_name="",
            unique_of=unique_of,
            filters=draw(st.just(()) | _filters),
            group_by=draw(
                st.sampled_from([(), ("model",), ("region", "model"), ("a", "model", "size")])
            ),
        ),
        draw(st.booleans()),
    )


_KINDS: list[tuple[Aggregation, UniqueOf | None]] = [
    (aggregation, unique_of)
    for aggregation in BUILT_IN
    for unique_of in (UniqueOf if aggregation is Aggregation.UNIQUE else [None])
]
_one_of_each = st.tuples(*[_metric(*kind) for kind in _KINDS])


@dataclass(frozen=True)
class _Merchant:
    metering: Metering
    customers: list[Customer]
    users: list[list[User]]

    def of(self, who: Asked) -> UsageOf:
        """Whom the server knows by what the model counts."""
        if who.customer is None:
            return EVERYONE
        if who.user is None:
            return usage_of(self.customers[who.customer])
        return usage_of(self.users[who.customer][who.user])

    async def record(self, facts: Sequence[Fact], sizes: Sequence[int]) -> None:
        """Sends the events in batches of these sizes."""
        left, number = list(facts), 0
        while left:
            size = sizes[number % len(sizes)]
            recorded = await self.metering.record(*[self._event(fact) for fact in left[:size]])
            assert not recorded.rejections
            left, number = left[size:], number + 1

    async def define(self, defined: Sequence[Defined]) -> list[Metric]:
        """Makes metrics."""
        made = []
        for one in defined:
            slug = f"m-{len(made)}-{one.late}".lower()
            async with self.metering.db.writing(self.metering.merchant_id) as tx:
                new = replace(one.new, slug=slug, name=slug)
                made.append(await create_metric(tx, self.metering.clock, new))
        return made

    def _event(self, fact: Fact) -> object:
        who = (
            self.customers[fact.customer]
            if fact.user is None
            else self.users[fact.customer][fact.user]
        )
        return event(
            fact.key,
            who,
            format(fact.value, "f"),
            name=fact.name,
            at=fact.at,
            properties=dict(fact.properties),
        )


async def _new_merchant(metering: Metering) -> _Merchant:
    created = await create_merchant(
        metering.db, metering.clock, CreateMerchant(name="Law", mode=Mode.TEST)
    )
    own = replace(metering, merchant_id=created.merchant.id)
    customers = [await own.add_customer() for _ in range(2)]
    users = [[await own.add_user(customer) for _ in range(2)] for customer in customers]
    return _Merchant(own, customers, users)


_WHO = [Asked(0), Asked(1), Asked(0, 0), Asked(0, 1), Asked(None)]


@pytest.mark.spec("EVT-5", "EVT-7", "EVT-8", "EVT-10", "EVT-12")
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    facts=_facts,
    defined=_one_of_each,
    windows=st.lists(_windows, min_size=1, max_size=2),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    filled=st.sets(st.sampled_from(["between", "at the end"])),
    layered=st.booleans(),
    merged=st.sets(st.sampled_from(["between", "at the end"])),
)
async def test_rollups_raw_events_and_a_model__agree_on_every_metric_and_window(
    metering: Metering,
    facts: list[Fact],
    defined: Sequence[Defined],
    windows: list[Interval],
    sizes: list[int],
    filled: set[str],
    layered: bool,
    merged: set[str],
) -> None:
    merchant = await _new_merchant(metering)
    own = merchant.metering
    facts = [replace(fact, key=f"k{number}") for number, fact in enumerate(facts)]
    metrics = await merchant.define([one for one in defined if not one.late])
    half = len(facts) // 2
    with climbing(layered):
        await merchant.record(facts[:half], sizes)
        metrics += await merchant.define([one for one in defined if one.late])
        # Metrics have read what was there before the rest arrives, or do it then, or never: the numbers are the same.
        if "between" in filled:
            await own.fill()
        if "between" in merged:
            await merge(own)
        await merchant.record(facts[half:], sizes)
    if "at the end" in filled:
        await own.fill()
    if "at the end" in merged:
        await merge(own)
    model = UsageModel(own.merchant_id, facts)

    for who in _WHO:
        pairs = [(metric, window) for metric in metrics for window in windows]
        asks = [
            UsageAsk(metric=metric, who=merchant.of(who), window=window) for metric, window in pairs
        ]
        want = [model.usage(metric, who, window) for metric, window in pairs]
        if who == Asked(None):
            got = [
                (await aggregate_everyone(own.events, own.merchant_id, ask.metric, [ask.window]))[0]
                for ask in asks
            ]
            assert got == want
            continue
        assert await aggregate_many(own.events, own.merchant_id, asks) == want
        async with own.events.reader() as connection:
            assert await from_events(connection, own.merchant_id, asks) == want
        assert await own.counters.read(own.merchant_id, asks) == want
        for metric in metrics:
            await _check_buckets(merchant, model, metric, who, windows[0])
            if metric.group_by:
                await _check_groups(merchant, model, metric, who, windows)


async def _check_buckets(
    merchant: _Merchant, model: UsageModel, metric: Metric, who: Asked, window: Interval
) -> None:
    own = merchant.metering
    got = await query_buckets(
        own.events,
        own.merchant_id,
        metric,
        merchant.of(who),
        window,
        size=BucketSize.HOUR,
        zone=ZoneInfo("Asia/Kathmandu"),
    )
    assert [one.value for one in got] == [model.usage(metric, who, one.window) for one in got]


async def _check_groups(
    merchant: _Merchant,
    model: UsageModel,
    metric: Metric,
    who: Asked,
    windows: Sequence[Interval],
) -> None:
    own = merchant.metering
    hours = cut(windows[0], BucketSize.HOUR, ZoneInfo("Asia/Kathmandu"))
    for row in (hours, windows[:1], windows[1:]):
        if not row:
            continue
        got = await query_groups(own.events, own.merchant_id, metric, merchant.of(who), row, None)
        want = [
            (window, group, value)
            for window in row
            for group, value in sorted(model.groups(metric, who, window).items())
        ]
        assert [(one.window, one.group, one.value) for one in got] == want
        assert not any(one.overflow for one in got)
    named = model.groups(metric, who, windows[0])
    everywhere = {group for window in windows for group in model.groups(metric, who, window)}
    async with own.events.reader() as connection:
        raw = await groups_from_events(
            connection,
            own.merchant_id,
            metric,
            merchant.of(who),
            windows[0],
            sorted(everywhere | {("never",) * len(metric.group_by)}),
        )
    assert raw == named
    chosen = sorted(named)[::2]
    if chosen:
        filtered = await query_groups(
            own.events, own.merchant_id, metric, merchant.of(who), windows[:1], chosen
        )
        assert {one.group: one.value for one in filtered} == {one: named[one] for one in chosen}


@pytest.mark.spec("EVT-7")
@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    facts=_facts,
    defined=_one_of_each,
    windows=st.lists(_windows, min_size=1, max_size=2),
    shuffled=st.data(),
)
async def test_another_order_of_arrival__changes_nothing(
    metering: Metering,
    facts: list[Fact],
    defined: Sequence[Defined],
    windows: list[Interval],
    shuffled: st.DataObject,
) -> None:
    facts = [replace(fact, key=f"k{number}") for number, fact in enumerate(facts)]
    # Events of one instant are ordered by the hash of their key, which holds the merchant: none share one here.
    facts = list({fact.at: fact for fact in facts}.values())
    orders = [facts, shuffled.draw(st.permutations(facts))]
    usages = []
    for order in orders:
        merchant = await _new_merchant(metering)
        metrics = await merchant.define(defined)
        await merchant.record(order, [3, 1])
        usages.append(
            [
                await aggregate_many(
                    metering.events,
                    merchant.metering.merchant_id,
                    [
                        UsageAsk(metric=metric, who=merchant.of(who), window=window)
                        for metric in metrics
                        for window in windows
                    ],
                )
                for who in _WHO[:-1]
            ]
        )

    assert usages[0] == usages[1]
