"""What a correction touches: which quarter-hours, of which scopes, read by which metrics (EVT-4, EVT-7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

from candela_server.catalog.model import Metric
from candela_server.kernel.interval import Interval

from .aggregation import carries_in
from .bucket import BUCKET, BUCKET_US, from_microseconds, to_microseconds
from .folding import WHOLE_CUSTOMER

FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""After every window that anybody asks for."""


class TouchedEvent(Protocol):
    """What is looked at of an event that counts differently since a correction."""

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
    def happened_at(self) -> datetime:
        """When."""
        ...


Scope: TypeAlias = tuple[str, str, datetime]
"""customer, user or WHOLE_CUSTOMER, start of the quarter-hour."""


def bucket_of(instant: datetime) -> datetime:
    """The start of the quarter-hour that an instant lies in."""
    microseconds = to_microseconds(instant)
    return from_microseconds(microseconds - microseconds % BUCKET_US)


def reads(metric: Metric, name: str) -> bool:
    """Whether a metric may read events of this name; one that lists no names reads them all."""
    return not metric.event_names or name in metric.event_names


def touched_scopes(metric: Metric, events: Iterable[TouchedEvent]) -> list[Scope]:
    """The rollups of the metric that these events are part of, sorted: the whole customer's and the users'."""
    scopes: set[Scope] = set()
    for event in events:
        if reads(metric, event.name):
            bucket_at = bucket_of(event.happened_at)
            scopes.add((event.customer_id, WHOLE_CUSTOMER, bucket_at))
            if event.user_id:
                scopes.add((event.customer_id, event.user_id, bucket_at))
    return sorted(scopes)


def touched_buckets(metric: Metric, events: Iterable[TouchedEvent]) -> dict[str, list[datetime]]:
    """Per customer, the quarter-hours of the metric that these events lie in, ascending."""
    buckets: dict[str, set[datetime]] = {}
    for event in events:
        if reads(metric, event.name):
            buckets.setdefault(event.customer_id, set()).add(bucket_of(event.happened_at))
    return {customer_id: sorted(found) for customer_id, found in sorted(buckets.items())}


def span_of(buckets: Sequence[datetime]) -> Interval:
    """From the first of these quarter-hours to the end of the last."""
    return Interval(buckets[0], buckets[-1] + BUCKET)


def changed_span(metric: Metric, buckets: Sequence[datetime]) -> Interval:
    """Windows that overlap this one may measure something else when these quarter-hours are corrected.

    What is carried into later windows changes all of them.
    """
    span = span_of(buckets)
    return Interval(span.start_at, FOR_EVER) if carries_in(metric) else span


def runs(buckets: Sequence[datetime]) -> list[Interval]:
    """These ascending quarter-hours, those that touch joined into one span."""
    found: list[Interval] = []
    for bucket_at in buckets:
        if found and found[-1].end_at == bucket_at:
            found[-1] = Interval(found[-1].start_at, bucket_at + BUCKET)
        else:
            found.append(Interval(bucket_at, bucket_at + BUCKET))
    return found


def gaps(buckets: Sequence[datetime]) -> list[Interval]:
    """What lies between these ascending quarter-hours; together with them it is their span."""
    return [Interval(one.end_at, other.start_at) for one, other in pairwise(runs(buckets))]


def step_end(start_at: datetime, end_at: datetime, crowded_at: datetime | None) -> datetime:
    """Where a step through a span ends that began at `start_at`: before the quarter-hour in which there would be too
    many events, `crowded_at`; but always further, and never behind the span."""
    if crowded_at is None:
        return end_at
    border = bucket_of(crowded_at)
    if border <= start_at:
        border = bucket_of(start_at) + BUCKET
    return min(border, end_at)
