"""What metrics mean, in the plainest words that can be run, and the same from the stored events alone.

The model is written from the specification and the contract's comments and shares no code with the server but the
values it takes and the two roundings. Nothing here is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import TypeAlias

from candela_server.catalog.model import (
    Aggregation,
    FilterOperator,
    Metric,
    PropertyFilter,
    UniqueOf,
)
from candela_server.kernel.interval import Interval
from candela_server.metering import group_usage_store, usage_store, weight_store
from candela_server.metering.group_usage_store import GroupScope, GroupSpan
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.rules.aggregation import EMPTY, measured
from candela_server.metering.rules.group import Group, dimension
from candela_server.metering.rules.metric_reading import event_sql
from candela_server.storage.events import Connection

Value: TypeAlias = str | bool | int | float
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Fact:
    """One event of the model; `user` counts the customer's users."""

    key: str
    customer: int
    user: int | None
    name: str
    value: Decimal
    at: datetime
    properties: dict[str, Value]


@dataclass(frozen=True)
class Asked:
    """Whose usage: a customer's, one of its users', or with `customer` None everyone's."""

    customer: int | None
    user: int | None = None


class UsageModel:
    """All events of one merchant."""

    def __init__(self, merchant_id: str, facts: Sequence[Fact]) -> None:
        self._prefix = merchant_id.encode() + b"\x00"
        self._facts = facts

    def usage(
        self, metric: Metric, who: Asked, window: Interval, group: Group | None = None
    ) -> Decimal:
        """What the metric measured; of one group when it is named."""
        read = [fact for fact in self._read(metric, who, group) if window.contains(fact.at)]
        values = [_measured(metric, fact) for fact in read]
        match metric.aggregation:
            case Aggregation.COUNT:
                return Decimal(len(values))
            case Aggregation.SUM:
                return _decimal(sum(map(Fraction, values), Fraction(0)))
            case Aggregation.AVERAGE:
                total = sum(map(Fraction, values), Fraction(0))
                return _rounded(total / len(values)) if values else Decimal(0)
            case Aggregation.MIN:
                return min(values, default=Decimal(0))
            case Aggregation.MAX:
                return max(values, default=Decimal(0))
            case Aggregation.LAST:
                latest = max(read, key=lambda fact: (fact.at, self._key(fact)), default=None)
                return Decimal(0) if latest is None else _measured(metric, latest)
            case Aggregation.UNIQUE:
                return Decimal(len({_told_apart(metric, fact) for fact in read} - {None}))
            case Aggregation.WEIGHTED_SUM:
                return self._held_on_average(metric, who, window, group)

    def groups(self, metric: Metric, who: Asked, window: Interval) -> dict[Group, Decimal]:
        """The groups with events in the window or, of weighted sums, with something held, and their usage."""
        facts = self._read(metric, who, None)
        if metric.aggregation is Aggregation.UNIQUE:
            facts = [fact for fact in facts if _told_apart(metric, fact) is not None]
        there = {_group(metric, fact) for fact in facts if window.contains(fact.at)}
        if metric.aggregation is Aggregation.WEIGHTED_SUM:
            before: dict[Group, Fraction] = {}
            for fact in facts:
                if fact.at < window.start_at:
                    group = _group(metric, fact)
                    before[group] = before.get(group, Fraction(0)) + Fraction(
                        _measured(metric, fact)
                    )
            there |= {group for group, held in before.items() if held}
        return {group: self.usage(metric, who, window, group) for group in there}

    def _held_on_average(
        self, metric: Metric, who: Asked, window: Interval, group: Group | None
    ) -> Decimal:
        """The level, step by step: what is held between two events, times how long."""
        facts = sorted(self._read(metric, who, group), key=lambda fact: fact.at)
        level = sum(
            (Fraction(_measured(metric, fact)) for fact in facts if fact.at < window.start_at),
            Fraction(0),
        )
        area, since = Fraction(0), window.start_at
        for fact in facts:
            if window.contains(fact.at):
                area += level * _us(fact.at - since)
                level += Fraction(_measured(metric, fact))
                since = fact.at
        area += level * _us(window.end_at - since)
        return _rounded(area / _us(window.duration))

    def _read(self, metric: Metric, who: Asked, group: Group | None) -> list[Fact]:
        return [
            fact
            for fact in self._facts
            if fact.name in metric.event_names
            and who.customer in (None, fact.customer)
            and who.user in (None, fact.user)
            and all(_passes(one, fact.properties) for one in metric.filters)
            and (
                not _measures_property(metric)
                or _is_number(fact.properties.get(metric.property or ""))
            )
            and group in (None, _group(metric, fact))
        ]

    def _key(self, fact: Fact) -> bytes:
        return blake2b(self._prefix + fact.key.encode(), digest_size=16).digest()


def _measures_property(metric: Metric) -> bool:
    return metric.property is not None and metric.aggregation is not Aggregation.UNIQUE


def _measured(metric: Metric, fact: Fact) -> Decimal:
    if _measures_property(metric):
        return Decimal(_text(fact.properties[metric.property or ""]))
    return fact.value


def _told_apart(metric: Metric, fact: Fact) -> object:
    if metric.unique_of is UniqueOf.USER:
        return None if fact.user is None else (fact.customer, fact.user)
    if metric.unique_of is UniqueOf.CUSTOMER:
        return fact.customer
    found = fact.properties.get(metric.property or "")
    return None if found is None else _text(found)


def _group(metric: Metric, fact: Fact) -> Group:
    return tuple(_text(fact.properties.get(name, "")) for name in metric.group_by)


def _passes(one: PropertyFilter, properties: dict[str, Value]) -> bool:
    found = properties.get(one.property)
    match one.operator:
        case FilterOperator.ABSENT:
            return found is None
        case FilterOperator.EXISTS:
            return found is not None
        case FilterOperator.EQUALS | FilterOperator.IN:
            return found is not None and _text(found) in one.values
        case FilterOperator.PREFIX:
            return found is not None and _text(found).startswith(one.values[0])
        case FilterOperator.AT_LEAST:
            return _is_number(found) and Decimal(_text(found)) >= Decimal(one.values[0])
        case FilterOperator.LESS_THAN:
            return _is_number(found) and Decimal(_text(found)) < Decimal(one.values[0])


def _is_number(found: Value | None) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _text(value: Value | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _decimal(exact: Fraction) -> Decimal:
    """A fraction whose denominator is a power of ten, as a decimal."""
    scaled = exact * 10**24
    assert scaled.denominator == 1
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled.numerator)).zfill(25)
    return Decimal(f"{sign}{digits[:-24]}.{digits[-24:]}")


def _rounded(exact: Fraction) -> Decimal:
    """Half away from zero, to 12 places."""
    scaled = abs(exact) * 10**12
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return _decimal(Fraction(whole, 10**12) * (-1 if exact < 0 else 1))


async def from_events(
    connection: Connection, merchant_id: str, asks: Sequence[UsageAsk]
) -> list[Decimal]:
    """The usage of each ask from the stored events alone, without a rollup."""
    got = []
    for ask in asks:
        reading = event_sql(ask.metric)
        part = usage_store.Part(
            ask.who.customer_id,
            ask.metric.id,
            ask.who.user_id or "",
            ask.window.start_at,
            ask.window.end_at,
        )
        if ask.metric.aggregation is Aggregation.UNIQUE:
            [count] = await usage_store.count_distinct(
                connection, merchant_id, ask.metric.id, [[]], [[part]], reading
            )
            tally = replace(EMPTY, distinct_count=count)
        elif ask.metric.aggregation is Aggregation.WEIGHTED_SUM:
            span = weight_store.Weighed(
                part.customer_id,
                part.metric_id,
                part.user_id,
                BEGINNING,
                ask.window.end_at,
                ask.window.start_at,
                ask.window.end_at,
            )
            [tally] = await weight_store.weigh_events(connection, merchant_id, [span], reading)
        else:
            [tally] = await usage_store.read_events(
                connection, merchant_id, [part], reading, last=True
            )
        got.append(measured(ask.metric, tally, ask.window))
    return got


async def groups_from_events(
    connection: Connection,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    window: Interval,
    groups: Sequence[Group],
) -> dict[Group, Decimal]:
    """The usage of these groups from the stored events alone."""
    named = {dimension(group): group for group in groups}
    scope = GroupScope(
        merchant_id,
        who.customer_id,
        metric.id,
        who.user_id or "",
        dimensions=list(named),
        everything=False,
        free_places=True,
    )
    reading = event_sql(metric)
    inside = GroupSpan(0, window.start_at, window.end_at, window.end_at)
    if metric.aggregation is Aggregation.UNIQUE:
        counts = await group_usage_store.count_group_values(
            connection, scope, [], [inside], reading, limit=1000
        )
        return {named[found]: Decimal(count) for (_, found), count in counts.items()}
    tallies = await group_usage_store.read_group_events(
        connection, scope, [inside], reading, last=True, limit=1000
    )
    if metric.aggregation is Aggregation.WEIGHTED_SUM:
        before = GroupSpan(0, BEGINNING, window.start_at, window.start_at)
        carried = await group_usage_store.read_group_events(
            connection, scope, [before], reading, last=False, limit=1000
        )
        for key, tally in carried.items():
            if tally.sum or key in tallies:
                tallies[key] = replace(tallies.get(key, EMPTY), carried=tally.sum)
    return {named[found]: measured(metric, tally, window) for (_, found), tally in tallies.items()}
