"""Which part of a window rollups answer, and which only the events themselves can, while history is read (EVT-10).

So a metric gives the same number before, during and after its fill: only the cost differs.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog.model import Metric
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering.metric_fill import UNREAD_FROM, Filled

from .bucket import BUCKET, Split, bucket_start, split


class EventsDroppedError(InvalidInput):
    """A window cuts a quarter-hour whose events were dropped for their age; its rollup cannot be cut."""

    def __init__(self, edge: Interval, kept_since: datetime) -> None:
        super().__init__(
            f"events before {kept_since:%Y-%m-%dT%H:%M:%SZ} are not kept any more, so the quarter-hour around "
            f"{edge.start_at:%Y-%m-%dT%H:%M:%SZ} cannot be cut; begin and end the window at full quarter-hours",
            field="window",
            kept_since=kept_since,
        )


def split_filled(metric: Metric, window: Interval, filled: Filled) -> Split:
    """The window as whole quarter-hours that rollups hold, and the parts that are read from events.

    Together they are the window, but for the time before events are kept of a metric that has not read history yet.
    Raises EventsDroppedError.
    """
    if metric.id in filled.complete:
        parts = split(window)
        for edge in parts.edges:
            if filled.kept_since is not None and edge.start_at < filled.kept_since:
                raise EventsDroppedError(edge, filled.kept_since)
        return parts
    border_at = filled.filled_from.get(metric.id, UNREAD_FROM)
    edges: list[Interval] = []
    unread = clip(window, filled.kept_since, border_at)
    if unread is not None:
        edges.append(unread)
    read = clip(window, border_at, None)
    if read is None:
        return Split(None, tuple(edges))
    parts = split(read)
    return Split(parts.whole, (*edges, *parts.edges))


def clip(window: Interval, start_at: datetime | None, end_at: datetime | None) -> Interval | None:
    """The part of a window between two instants; None when nothing of it is."""
    first = window.start_at if start_at is None else max(window.start_at, start_at)
    last = window.end_at if end_at is None else min(window.end_at, end_at)
    return Interval(first, last) if first < last else None


def step_start(crowded_at: datetime | None, before_at: datetime, oldest_at: datetime) -> datetime:
    """Where a step back in time from `before_at` ends: behind the quarter-hour of `crowded_at`, the instant before
    which it would read too many events; but it always reads one quarter-hour, and never beyond the oldest event."""
    if crowded_at is None:
        return bucket_start(oldest_at)
    start_at = bucket_start(crowded_at)
    return start_at + BUCKET if start_at + BUCKET < before_at else start_at
