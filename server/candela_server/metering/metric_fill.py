"""What a fill is: a job that reads history into a metric, and how far metrics have come (EVT-10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, NewType

from candela_server.catalog.model import MetricId
from candela_server.kernel.errors import NotFound, Reason
from candela_server.kernel.interval import Interval

FillId = NewType("FillId", str)

UNREAD_FROM: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Where a fill begins that goes back in time: after every event, of test clocks in a far future, too."""


class FillStatus(IntEnum):
    """How far a metric has read the events that were there before it; equal to the contract's FillStatus."""

    COMPLETE = 1
    FILLING = 2
    FROM_CREATION = 3
    FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFill:
    """One run of a job that reads history into a metric. `window` is None until the first step has found it."""

    id: FillId
    metric_id: MetricId
    status: FillStatus
    window: Interval | None
    filled_from_at: datetime
    read_count: int
    estimated_count: int
    failure: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Which rollups hold all events, as of one snapshot.

    Those of the `complete` metrics, and of those in `filled_from` the quarter-hours from that instant on; of others
    none. Events before `kept_since` were dropped for their age, and rollups alone know of them.
    """

    complete: frozenset[str] = frozenset()
    filled_from: Mapping[str, datetime] = field(default_factory=dict)
    kept_since: datetime | None = None


class FillNotFoundError(NotFound):
    """The metric never read history by a fill."""

    reason = Reason.METRIC_NOT_FOUND

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"metric {slug!r} has no fill yet; its first one begins within a minute of its creation, FillMetric "
            "starts one now",
            field="metric",
            metric=slug,
        )
