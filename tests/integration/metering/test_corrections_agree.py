"""After any corrections, rollups, raw events, live counters and a model in memory agree exactly (EVT-4, EVT-7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_server.catalog.create_metric import NewMetric, create_metric
from candela_server.catalog.model import Aggregation, FilterOperator, Metric, PropertyFilter
from candela_server.customer.model import Customer, User
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk
from candela_server.metering.query_groups import query_groups
from candela_server.metering.query_usage import aggregate_many
from candela_server.metering.rules.bucket import BUCKET
from candela_server.metering.rules.correction import bucket_of

from tests.integration.metering import correcting, usage_model
from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_of
from tests.integration.metering.layering import climbing, merge
from tests.integration.metering.usage_model import Asked, UsageModel, from_events

_BASE = datetime(2026, 1, 20, 10, 0, tzinfo=UTC)
_SPAN_US = 2 * 3600 * 1_000_000


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One event of the model; `backfill` is the number of the backfill that it came with."""

    key: str
    user: int | None
    name: str
    value: Decimal
    at: datetime
    model: str | None
    backfill: int | None = None
    voided: bool = False


_instants = st.integers(0, _SPAN_US).map(lambda us: _BASE + timedelta(microseconds=us)) | (
    st.sampled_from([_BASE + timedelta(minutes=15 * quarter) for quarter in range(9)])
)
_facts = st.builds(
    Fact,
    key=st.just(""),
    user=st.sampled_from([None, 0, 1]),
    name=st.sampled_from(["api-call", "ai-token", "other"]),
    value=st.integers(-3, 3).map(Decimal)
    | st.decimals(
        min_value=Decimal("-1000000000000000000000"),
        max_value=Decimal("1000000000000000000000"),
        places=12,
        allow_nan=False,
    ),
    at=_instants,
    model=st.sampled_from([None, "x", "y"]),
)
_windows = st.lists(_instants, min_size=2, max_size=2, unique=True).map(
    lambda ends: Interval(min(ends), max(ends))
)
_WHOLE = Interval(_BASE, _BASE + timedelta(hours=3))
_spans = _windows | st.just(_WHOLE)
_picks = st.integers(0, 1000)
_steps = st.one_of(
    st.tuples(st.just("record"), st.lists(_facts, min_size=1, max_size=6)),
    st.tuples(st.just("void_keys"), st.lists(_picks, min_size=1, max_size=3)),
    st.tuples(st.just("void_filter"), _spans, st.sampled_from([(), ("api-call",)])),
    st.tuples(st.just("replace"), _picks, _facts),
    st.tuples(
        st.just("open"),
        st.booleans(),
        _spans,
        st.lists(_facts, max_size=5),
        st.sampled_from([(), ("close",), ("close", "revert")]),
    ),
    st.tuples(st.just("close"), _picks),
    st.tuples(st.just("revert"), _picks),
    st.tuples(st.just("merge")),
)


@pytest.mark.spec("EVT-4", "EVT-7")
@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    first=st.lists(_facts, min_size=2, max_size=8),
    steps=st.lists(_steps, min_size=1, max_size=8),
    windows=st.lists(_windows, max_size=2),
    layered=st.booleans(),
)
async def test_events_and_corrections_in_any_order__read_the_same_in_every_way(
    metering: Metering,
    first: list[Fact],
    steps: list[tuple[Any, ...]],
    windows: list[Interval],
    layered: bool,
) -> None:
    book = _Book(metering, await _metrics(metering), await metering.add_customer())
    book.users = [await metering.add_user(book.acme), await metering.add_user(book.acme)]
    windows = [*windows, _WHOLE]
    with climbing(layered):
        for name, *arguments in [("record", first), *steps]:
            await getattr(book, name)(*arguments)
            # Read in between, so that there are live counters that each correction must reach.
            await metering.counters.read(metering.merchant_id, book.asks(book.acme, windows))
    await book.revert_open()

    for who, number in [(book.acme, None), (book.users[0], 0), (book.users[1], 1)]:
        asks = book.asks(who, windows)
        want = [book.want(ask, number) for ask in asks]
        assert await aggregate_many(metering.events, metering.merchant_id, asks) == want
        assert await metering.counters.read(metering.merchant_id, asks) == want
        async with metering.events.reader() as connection:
            assert await from_events(connection, metering.merchant_id, asks) == want
        for metric in metering.metrics:
            if metric.group_by:
                got = await query_groups(
                    metering.events, metering.merchant_id, metric, usage_of(who), [_WHOLE], None
                )
                groups = book.model().groups(metric, Asked(0, number), _WHOLE)
                assert {one.group: one.value for one in got} == groups


@dataclass(slots=True)
class _Backfill:
    """A backfill of the model."""

    id: str
    window: Interval
    replaces: bool
    kept: set[str]
    replaced: set[str]
    status: str = "open"


_Where: TypeAlias = Callable[[Fact], bool]


class _Book:
    """The model: a list of facts, and the plainest meaning of each correction."""

    def __init__(self, metering: Metering, metrics: Sequence[Metric], acme: Customer) -> None:
        self.metering = metering
        self.metrics = metrics
        self.acme = acme
        self.users: list[User] = []
        self.facts: list[Fact] = []
        self.backfills: list[_Backfill] = []
        self._count = 0

    def asks(self, who: Customer | User, windows: Sequence[Interval]) -> list[UsageAsk]:
        return [
            UsageAsk(metric=metric, who=usage_of(who), window=window)
            for metric in self.metrics
            for window in windows
        ]

    async def record(self, facts: list[Fact]) -> None:
        new = [self._named(fact) for fact in facts]
        recorded = await self.metering.record(*[self._sent(fact) for fact in new])
        assert not recorded.rejections
        self.facts += new

    async def void_keys(self, picks: list[int]) -> None:
        ready = [fact for fact in self.facts if not self._waits(fact)]
        chosen = {ready[pick % len(ready)].key for pick in picks} if ready else set()
        if not chosen:
            return
        want = sum(self._counts(fact) for fact in self.facts if fact.key in chosen)
        got = await correcting.void(self.metering, **correcting.by_keys(*sorted(chosen)))
        assert got == want
        self._void(lambda fact: fact.key in chosen and self._counts(fact))

    async def void_filter(self, window: Interval, names: tuple[str, ...]) -> None:
        def matches(fact: Fact) -> bool:
            return (
                self._counts(fact)
                and window.contains(fact.at)
                and (not names or fact.name in names)
            )

        target = correcting.by_filter(window, customer=self.acme, names=names)
        want = sum(map(matches, self.facts))
        told = await correcting.preview(self.metering, **target)
        asks = []
        for metric in self.metrics:
            at = [
                bucket_of(fact.at)
                for fact in self.facts
                if matches(fact) and fact.name in metric.event_names
            ]
            if at:
                span = Interval(min(at), max(at) + BUCKET)
                asks.append(UsageAsk(metric=metric, who=usage_of(self.acme), window=span))
        before = [self.want(ask, None) for ask in asks]
        got = await correcting.void(self.metering, **target)
        self._void(matches)
        after = [self.want(ask, None) for ask in asks]
        assert told.event_count == got == want
        changes = [
            (
                row.metric_id,
                Interval(row.window.start_at.ToDatetime(UTC), row.window.end_at.ToDatetime(UTC)),
                Decimal(row.value_before),
                Decimal(row.value_after),
            )
            for row in told.changes
        ]
        assert sorted(changes, key=str) == sorted(
            [
                (ask.metric.id, ask.window, old, new)
                for ask, old, new in zip(asks, before, after, strict=True)
                if old != new
            ],
            key=str,
        )

    async def replace(self, pick: int, fact: Fact) -> None:
        counted = [one for one in self.facts if self._counts(one)]
        if not counted:
            return
        old = counted[pick % len(counted)]
        new = replace(self._named(fact), at=old.at, backfill=old.backfill)
        await correcting.replace(self.metering, old.key, self._sent(new))
        self._void(lambda one: one.key == old.key and one.backfill == old.backfill)
        self.facts.append(new)

    async def open(
        self, replaces: bool, window: Interval, facts: list[Fact], then: tuple[str, ...]
    ) -> None:
        if any(one.status == "open" and one.window.overlaps(window) for one in self.backfills):
            return
        opened = await correcting.open_backfill(
            self.metering,
            window.start_at,
            window.end_at,
            customer=self.acme,
            replaces_existing=replaces,
        )
        number = len(self.backfills)
        new = [
            replace(self._named(fact), backfill=number)
            for fact in facts
            if window.contains(fact.at)
        ]
        # And something that is there already.
        again = [fact for fact in self.facts if window.contains(fact.at) and not self._waits(fact)][
            :2
        ]
        got = await correcting.record_into(
            self.metering, opened.id, *[self._sent(fact) for fact in [*new, *again]]
        )
        assert not got.errors
        self.facts += new
        self.backfills.append(
            _Backfill(opened.id, window, replaces, {fact.key for fact in again}, set())
        )
        for name in then:
            await self._go_on(name, number)

    async def close(self, pick: int) -> None:
        for number in self._pick(pick, "open"):
            await self._go_on("close", number)

    async def revert(self, pick: int) -> None:
        for number in self._pick(pick, "open", "applied"):
            await self._go_on("revert", number)

    async def merge(self) -> None:
        await merge(self.metering)

    async def revert_open(self) -> None:
        """Leaves nothing that would overlap another example's."""
        for number, one in enumerate(self.backfills):
            if one.status == "open":
                await self._go_on("revert", number)

    async def _go_on(self, name: str, number: int) -> None:
        one = self.backfills[number]
        if name == "revert":
            await correcting.revert(self.metering, one.id)
            one.status = "reverted"
        else:
            await correcting.close(self.metering, one.id)
            if one.replaces:
                one.replaced = {
                    fact.key
                    for fact in self.facts
                    if one.window.contains(fact.at)
                    and fact.backfill != number
                    and fact.key not in one.kept
                }
            one.status = "applied"

    def model(self) -> UsageModel:
        """What the events that count mean."""
        return UsageModel(
            self.metering.merchant_id,
            [
                usage_model.Fact(
                    key=fact.key,
                    customer=0,
                    user=fact.user,
                    name=fact.name,
                    value=fact.value,
                    at=fact.at,
                    properties={} if fact.model is None else {"model": fact.model},
                )
                for fact in self.facts
                if self._counts(fact)
            ],
        )

    def want(self, ask: UsageAsk, user: int | None) -> Decimal:
        """What the metric measures of them."""
        return self.model().usage(ask.metric, Asked(0, user), ask.window)

    def _counts(self, fact: Fact) -> bool:
        if fact.voided:
            return False
        if fact.backfill is not None and self.backfills[fact.backfill].status != "applied":
            return False
        return not any(
            one.status == "applied" and fact.key in one.replaced for one in self.backfills
        )

    def _waits(self, fact: Fact) -> bool:
        return fact.backfill is not None and self.backfills[fact.backfill].status != "applied"

    def _void(self, where: _Where) -> None:
        chosen = [where(fact) for fact in self.facts]
        self.facts = [
            replace(fact, voided=True) if voided else fact
            for fact, voided in zip(self.facts, chosen, strict=True)
        ]

    def _pick(self, pick: int, *statuses: str) -> list[int]:
        found = [n for n, one in enumerate(self.backfills) if one.status in statuses]
        return [found[pick % len(found)]] if found else []

    def _named(self, fact: Fact) -> Fact:
        self._count += 1
        return replace(fact, key=f"{self.acme.id}-{self._count}")

    def _sent(self, fact: Fact) -> Any:
        return event(
            fact.key,
            self.acme if fact.user is None else self.users[fact.user],
            format(fact.value, "f"),
            name=fact.name,
            at=fact.at,
            properties=None if fact.model is None else {"model": fact.model},
        )


async def _metrics(metering: Metering) -> list[Metric]:
    if metering.metrics:
        return metering.metrics
    for aggregation in BUILT_IN:
        metering.metrics.append(
            await metering.add_metric(
                aggregation.value.replace("_", "-"),
                aggregation,
                event_names=["api-call", "ai-token"],
                property_name="model" if aggregation is Aggregation.UNIQUE else None,
                group_by=["model"],
            )
        )
    async with metering.db.writing(metering.merchant_id) as tx:
        filtered = NewMetric(
            slug="filtered",
            name="Filtered",
            aggregation=Aggregation.SUM,
            event_names=("api-call",),
            property=None,
            unit_name="",
            filters=(PropertyFilter(property="model", operator=FilterOperator.EXISTS, values=()),),
        )
        metering.metrics.append(await create_metric(tx, metering.clock, filtered))
    return metering.metrics
