"""Folds the events of one flush into what they add to each rollup, exactly (EVT-7).

Data plane. Budget: 1 µs per event. Events are first folded by (customer, user, name, quarter-hour), whatever reads
them; only then is each of these shares given to the metrics that read its name. A metric that looks into the events
themselves (filters, properties, distinct values, groups, time) is folded event by event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol, TypeAlias

from candela_server.kernel.money import exact

from .bucket import BUCKET_US
from .event_value import Properties
from .group import Group, group_of
from .metric_reading import MetricReading, Readings

WHOLE_CUSTOMER = ""
"""In place of a user: all of the customer's events, whoever caused them."""

_NOTHING = Decimal(0)


class FoldedEvent(Protocol):
    """What folding looks at."""

    @property
    def customer_id(self) -> str:
        """Whose usage it is."""
        ...

    @property
    def user_id(self) -> str:
        """Which user's; "" when none was named."""
        ...

    @property
    def name(self) -> str:
        """What happened."""
        ...

    @property
    def happened_us(self) -> int:
        """When, in microseconds since 1970."""
        ...

    @property
    def key_hash(self) -> bytes:
        """Its key's hash, unique."""
        ...

    @property
    def value(self) -> Decimal:
        """How much."""
        ...

    @property
    def properties(self) -> Properties:
        """What else is known of it."""
        ...


class Share:
    """What some events of one quarter-hour add up to. Mutable: one is made per group, not per event."""

    __slots__ = (
        "count",
        "first_us",
        "last_key",
        "last_us",
        "last_value",
        "max",
        "min",
        "sum",
        "time",
    )

    def __init__(self, happened_us: int, key: bytes, value: Decimal) -> None:
        self.count = 1
        self.sum = value
        self.min = value
        self.max = value
        self.first_us = happened_us
        self.last_us = happened_us
        self.last_key = key
        self.last_value = value
        # For weighted sums alone: each value times its microseconds from the start of the quarter-hour.
        self.time = _NOTHING

    def add(self, happened_us: int, key: bytes, value: Decimal) -> None:
        """Takes in one more event."""
        self.count += 1
        self.sum += value
        if value < self.min:
            self.min = value
        elif value > self.max:
            self.max = value
        if happened_us > self.last_us or (happened_us == self.last_us and key > self.last_key):
            self.last_us, self.last_key, self.last_value = happened_us, key, value
        elif happened_us < self.first_us:
            self.first_us = happened_us

    def take_in(self, other: Share) -> None:
        """Takes in other events."""
        self.count += other.count
        self.sum += other.sum
        self.time += other.time
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.first_us = min(self.first_us, other.first_us)
        if (other.last_us, other.last_key) > (self.last_us, self.last_key):
            self.last_us, self.last_key = other.last_us, other.last_key
            self.last_value = other.last_value

    def copy(self) -> Share:
        """Another one that adds up to the same."""
        twin = Share(self.last_us, self.last_key, self.last_value)
        twin.count, twin.sum, twin.min, twin.max = (
            self.count,
            self.sum,
            self.min,
            self.max,
        )
        twin.first_us = self.first_us
        twin.time = self.time
        return twin


ShareKey: TypeAlias = tuple[str, str, str, int]
"""customer, metric, user or WHOLE_CUSTOMER, start of the quarter-hour in microseconds."""

GroupKey: TypeAlias = tuple[str, str, str, int, Group]
"""customer, metric, user or WHOLE_CUSTOMER, start of the quarter-hour in microseconds, and the group."""

Unmatched: TypeAlias = tuple[int, int, int]
"""Events of a name that no metric reads: how many, the earliest and the latest instant."""


@dataclass(slots=True)
class Folded:
    """What the events of one merchant in one flush add; what is grouped is in the ungrouped shares, too."""

    shares: dict[ShareKey, Share] = field(default_factory=dict)
    distinct: set[tuple[str, str, str, int, str]] = field(default_factory=set)
    grouped: dict[GroupKey, Share] = field(default_factory=dict)
    grouped_distinct: set[tuple[GroupKey, str]] = field(default_factory=set)
    unmatched: dict[str, Unmatched] = field(default_factory=dict)


def fold(events: Iterable[FoldedEvent], readings: Readings) -> Folded:
    """What the events add to every metric that reads them; the result does not depend on their order."""
    folded = Folded()
    groups: dict[tuple[str, str, str, int], Share] = {}
    looked_into: dict[GroupKey, Share] = {}
    with exact():
        for event in events:
            happened_us = event.happened_us
            name = event.name
            key = (
                event.customer_id,
                event.user_id,
                name,
                happened_us - happened_us % BUCKET_US,
            )
            group = groups.get(key)
            if group is None:
                groups[key] = Share(happened_us, event.key_hash, event.value)
            else:
                group.add(happened_us, event.key_hash, event.value)
            for reading in readings.looking_into(name):
                _fold_one(folded, looked_into, reading, event, key[3])
        for group_key, share in looked_into.items():
            _add(folded, group_key[:4], share)
            if group_key[4]:
                _add_grouped(folded, group_key, share)
        for (customer_id, user_id, name, bucket_us), group in groups.items():
            for reading in readings.adding_up(name):
                _add(folded, (customer_id, reading.metric_id, user_id, bucket_us), group)
            if not readings.is_read(name):
                _note_unmatched(folded, name, group)
    return folded


def _fold_one(
    folded: Folded,
    looked_into: dict[GroupKey, Share],
    reading: MetricReading,
    event: FoldedEvent,
    bucket_us: int,
) -> None:
    properties = event.properties
    if not reading.matches(properties):
        return
    value = reading.value_of(event.value, properties)
    if value is None:
        return
    group = group_of(properties, reading.group_by) if reading.group_by else ()
    key = (event.customer_id, reading.metric_id, event.user_id, bucket_us, group)
    if reading.counts_distinct:
        told_apart = reading.distinct_value(properties, event.user_id, event.customer_id)
        if told_apart is None:
            return
        _add_distinct(folded, key, told_apart)
    share = looked_into.get(key)
    if share is None:
        share = looked_into[key] = Share(event.happened_us, event.key_hash, value)
    else:
        share.add(event.happened_us, event.key_hash, value)
    if reading.weighs_time:
        share.time += value * (event.happened_us - bucket_us)


def _add_distinct(folded: Folded, key: GroupKey, told_apart: str) -> None:
    """Notes a value for the user, if one is named, and always for the whole; and the same for its group."""
    customer_id, metric_id, user_id, bucket_us, group = key
    for user in {user_id, WHOLE_CUSTOMER}:
        folded.distinct.add((customer_id, metric_id, user, bucket_us, told_apart))
        if group:
            folded.grouped_distinct.add(
                ((customer_id, metric_id, user, bucket_us, group), told_apart)
            )


def _add_grouped(folded: Folded, key: GroupKey, share: Share) -> None:
    """Adds a group's share to the user's, if a user is named, and always to the whole customer's."""
    customer_id, metric_id, user_id, bucket_us, group = key
    for user in {user_id, WHOLE_CUSTOMER}:
        one = (customer_id, metric_id, user, bucket_us, group)
        known = folded.grouped.get(one)
        if known is None:
            folded.grouped[one] = share.copy()
        else:
            known.take_in(share)


def _add(folded: Folded, key: ShareKey, share: Share) -> None:
    """Adds a share to the user's row, if a user is named, and always to the whole customer's."""
    customer_id, metric_id, user_id, bucket_us = key
    keys = [(customer_id, metric_id, WHOLE_CUSTOMER, bucket_us)]
    if user_id:
        keys.append(key)
    for one in keys:
        known = folded.shares.get(one)
        if known is None:
            folded.shares[one] = share.copy()
        else:
            known.take_in(share)


def _note_unmatched(folded: Folded, name: str, group: Share) -> None:
    count, first_us, last_us = folded.unmatched.get(name, (0, group.first_us, group.last_us))
    folded.unmatched[name] = (
        count + group.count,
        min(first_us, group.first_us),
        max(last_us, group.last_us),
    )
