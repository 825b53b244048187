"""What exists here: whose usage is asked for, what becomes of an event, and why one is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

from candela_server.catalog.model import Metric
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.errors import (
    CandelaError,
    InvalidInput,
    NotFound,
    Reason,
    Refused,
    Unavailable,
)
from candela_server.kernel.interval import Interval

from .metric_fill import FillStatus

MAX_BATCH_EVENTS = 10_000
"""Events in one batch or chunk: about 2 MB, and one flush of the group commit (EVT-1)."""


class Outcome(IntEnum):
    """What became of one event; equal to the contract's EventOutcome (EVT-3)."""

    ACCEPTED = 1
    DEDUPLICATED = 2
    REJECTED = 3
    HELD = 4


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one event was refused while its neighbours went through; `index` counts from 0."""

    index: int
    reason: Reason
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch: one outcome per event, in order, and the rejections by ascending index."""

    outcomes: list[Outcome]
    rejections: list[Rejection]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOf:
    """Whose usage: the whole customer, or one of its users alone (ENT-7)."""

    customer_id: CustomerId
    user_id: UserId | None = None


EVERYONE = UsageOf(customer_id=CustomerId(""))
"""All customers of the merchant together (EVT-8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAsk:
    """One question: what did `metric` measure for `who` in the half-open `window`? (EVT-7)"""

    metric: Metric
    who: UsageOf
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlScope:
    """All events that a metric's query may see (EVT-6). `user_id` "" is the whole customer."""

    merchant_id: str
    customer_id: str
    user_id: str
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket:
    """The usage of one part of a queried window (EVT-8).

    In a grouped answer `group` names the values of the metric's group-by properties; the overflow group has none.
    """

    window: Interval
    value: Decimal
    group: tuple[str, ...] | None = None
    overflow: bool = False


class BucketSize(IntEnum):
    """How a window is cut; equal to the contract's BucketSize. All but the hour follow a calendar."""

    WHOLE = 0
    HOUR = 1
    DAY = 2
    WEEK = 3
    MONTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a set of events adds up to, exactly; any aggregation is read off it.

    `last_value` is that of the latest event; events of the same microsecond are ordered by the hash of their key,
    so that the answer does not depend on the order of arrival. `distinct_count` is 0 unless the metric counts
    distinct values. For weighted sums alone, `held` is the sum of each value times the microseconds from its event to
    the window's end, and `carried` the sum of the values from before the window.
    """

    count: int
    sum: Decimal
    min: Decimal | None
    max: Decimal | None
    last_at: datetime | None
    last_key: bytes
    last_value: Decimal | None
    distinct_count: int
    held: Decimal = Decimal(0)
    carried: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpan:
    """A span of a customer's usage of one metric, as somebody knew it at `seen_at` and relies on it since."""

    customer_id: str
    metric_id: str
    window: Interval
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredUsage:
    """What one metric measured, and how far its rollups have read history (EVT-10)."""

    metric: Metric
    value: Decimal
    fill_status: FillStatus


class MetricNotGroupedError(InvalidInput):
    """Groups were asked of a metric that keeps none apart (EVT-5)."""

    reason = Reason.INVALID_FIELD

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"{slug!r} has no group-by property; ask without groups, or make a metric with group_by",
            field="grouped",
            metric=slug,
        )


class BatchTooLargeError(InvalidInput):
    """A batch or chunk holds more events than one call takes; nothing of it is stored (EVT-1)."""

    reason = Reason.BATCH_TOO_LARGE

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the batch holds {size} events and at most {MAX_BATCH_EVENTS} are taken; split it",
            field="events",
            limit=MAX_BATCH_EVENTS,
            size=size,
        )


class ChunkOutOfOrderError(InvalidInput):
    """Chunks of a stream are numbered without gaps, so that one number acknowledges all before it."""

    reason = Reason.INVALID_FIELD

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"chunk {actual} came where {expected} was expected; number chunks from 1 without gaps",
            field="chunk_number",
            expected=expected,
            actual=actual,
        )


class IngestionUnavailableError(Unavailable):
    """The database cannot take events now; nothing of the batch is acknowledged."""

    reason = Reason.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("events cannot be stored now; send the same batch again")


class CountersUnsureError(Unavailable):
    """Neither could the live counters be brought up to date, nor could other servers be told not to read them."""

    reason = Reason.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("live counters may lack events of this flush; it must not be acknowledged")


class EventRefusedError(InvalidInput):
    """One event, sent alone, is wrong by itself; the reason is the event's own (EVT-3)."""

    def __init__(self, rejection: Rejection) -> None:
        self.reason = rejection.reason
        super().__init__(rejection.message, field=f"event.{rejection.field}")


class EventUnknownError(NotFound):
    """One event, sent alone, names a customer or user that is not there."""

    def __init__(self, rejection: Rejection) -> None:
        self.reason = rejection.reason
        super().__init__(rejection.message, field=f"event.{rejection.field}")


class EventConflictError(Refused):
    """One event, sent alone, is right by itself but not now: its key is taken or its customer archived."""

    def __init__(self, rejection: Rejection) -> None:
        self.reason = rejection.reason
        super().__init__(rejection.message, field=f"event.{rejection.field}")


def refusal(rejection: Rejection) -> CandelaError:
    """What fails the call of a single event: the kind of error that the reason has everywhere."""
    match rejection.reason:
        case Reason.CUSTOMER_NOT_FOUND | Reason.USER_NOT_FOUND:
            return EventUnknownError(rejection)
        case Reason.CUSTOMER_ARCHIVED | Reason.EVENT_KEY_CONFLICT:
            return EventConflictError(rejection)
        case _:
            return EventRefusedError(rejection)
