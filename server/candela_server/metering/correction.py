"""What corrections are: which events are meant, what changes, backfills, and why something is refused (EVT-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final, NewType, TypeAlias
from uuid import UUID

from candela_server.kernel.errors import InvalidInput, NotFound, Reason
from candela_server.kernel.interval import Interval

MAX_VOIDED_KEYS: Final = 1000
"""Keys in one call."""

MAX_VOIDED_EVENTS: Final = 20_000
"""Events that one call voids: some seconds, in which the merchant's ingestion waits."""

MAX_FILTER_WINDOW: Final = timedelta(days=92)
"""A quarter of a year: how much of the events' index one filter may have to walk through."""

MAX_BACKFILL_WINDOW: Final = timedelta(days=31)
MAX_CHANGES: Final = 1000
"""Rows of a preview."""

BackfillId = NewType("BackfillId", str)


@dataclass(frozen=True, slots=True)
class ByKeys:
    """The events under these keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByFilter:
    """The events of a window that count; of one customer when one is named, of some names when some are."""

    customer_id: str | None
    names: tuple[str, ...]
    window: Interval


Selection: TypeAlias = ByKeys | ByFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenEvent:
    """An event as corrections need it. `user_id` and `came_with`, its backfill, are "" for none."""

    key_hash: UUID
    happened_at: datetime
    came_with: str
    customer_id: str
    user_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as the server keeps it, with what became of it. `properties_json` is "" for none."""

    key_hash: UUID
    idempotency_key: str
    name: str
    customer_id: str
    user_id: str | None
    value: Decimal
    happened_at: datetime
    properties_json: str
    received_at: datetime
    came_with: str
    counts: bool
    voided_at: datetime | None
    replaced_by_key: str | None

    @property
    def chosen(self) -> ChosenEvent:
        """The same, as corrections need it."""
        return ChosenEvent(
            key_hash=self.key_hash,
            happened_at=self.happened_at,
            came_with=self.came_with,
            customer_id=self.customer_id,
            user_id=self.user_id or "",
            name=self.name,
        )


class CorrectionKind(StrEnum):
    """Why usage changed."""

    VOID = "void"
    REPLACE = "replace"
    APPLY_BACKFILL = "apply_backfill"
    REVERT_BACKFILL = "revert_backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One correction as a fact: who, when, why, and how many events count differently since."""

    id: str
    kind: CorrectionKind
    backfill_id: BackfillId | None
    event_count: int
    reason: str
    actor: str
    corrected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedUsage:
    """A correction changed this usage: the metric of the customer, somewhere in the window."""

    correction_id: str
    customer_id: str
    metric_id: str
    window: Interval
    corrected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChange:
    """The usage of one metric before and after a correction, over whole quarter-hours."""

    customer_id: str
    metric_id: str
    window: Interval
    value_before: Decimal
    value_after: Decimal


class BackfillStatus(IntEnum):
    """The life of a backfill; equal to the contract's BackfillStatus."""

    OPEN = 1
    APPLYING = 2
    APPLIED = 3
    REVERTING = 4
    REVERTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A set of events about the past. Its events count from `counted_from_at` until before `counted_until_at`."""

    id: BackfillId
    window: Interval
    customer_id: str | None
    replaces_existing: bool
    reason: str
    event_count: int
    created_at: datetime
    closed_at: datetime | None
    reverted_at: datetime | None
    counted_from_at: datetime
    counted_until_at: datetime

    @property
    def status(self) -> BackfillStatus:
        """Where it stands: told by its borders, so that nothing can disagree with them."""
        if self.reverted_at is not None:
            reverted = self.counted_from_at >= self.window.end_at
            return BackfillStatus.REVERTED if reverted else BackfillStatus.REVERTING
        if self.closed_at is not None:
            applied = self.counted_until_at >= self.window.end_at
            return BackfillStatus.APPLIED if applied else BackfillStatus.APPLYING
        return BackfillStatus.OPEN

    @property
    def unfinished(self) -> bool:
        """Whether a task has to go on with it."""
        return self.status in (BackfillStatus.APPLYING, BackfillStatus.REVERTING)


class EventNotFoundError(NotFound):
    """No event has this key, as far as keys are remembered."""

    reason = Reason.EVENT_NOT_FOUND

    def __init__(self, key: str, field: str) -> None:
        super().__init__(
            f"no event has the key {key!r} within the dedupe window; check the key, or void older events by filter",
            field=field,
            event=key,
        )


class BackfillNotFoundError(NotFound):
    """No such backfill."""

    reason = Reason.EVENT_NOT_FOUND

    def __init__(self, backfill_id: str) -> None:
        super().__init__(
            f"no backfill {backfill_id!r}; check the id", field="backfill_id", event=backfill_id
        )


class BackfillStateError(InvalidInput):
    """The backfill is beyond what is asked of it."""

    reason = Reason.INVALID_FIELD

    def __init__(self, backfill: Backfill, wanted: str) -> None:
        super().__init__(
            f"backfill {backfill.id} is {backfill.status.name.lower()} and cannot {wanted}; create another one",
            field="backfill_id",
            status=backfill.status.name,
        )


class BackfillOverlapError(InvalidInput):
    """Another backfill that is not finished concerns the same customer at the same time."""

    reason = Reason.INVALID_FIELD

    def __init__(self, other: Backfill) -> None:
        super().__init__(
            f"the window overlaps {other.window} of backfill {other.id}, which is {other.status.name.lower()}; "
            "close or revert that one first",
            field="window",
            backfill=other.id,
        )


class EventNotCountedError(NotFound):
    """An event that does not count cannot be corrected: to usage it is not there."""

    reason = Reason.EVENT_NOT_FOUND

    def __init__(self, event: StoredEvent, field: str) -> None:
        why = (
            f"came with backfill {event.came_with}, which is not applied; close or revert it"
            if event.came_with and event.voided_at is None
            else "was voided before; record another event instead"
        )
        super().__init__(
            f"the event {event.idempotency_key!r} {why}", field=field, event=event.idempotency_key
        )


class TooManyVoidedError(InvalidInput):
    """A filter matches more events than one call voids."""

    reason = Reason.INVALID_FIELD

    def __init__(self) -> None:
        super().__init__(
            f"the filter matches more than {MAX_VOIDED_EVENTS} events; take a shorter window or one customer, "
            "or close a backfill over the window that replaces what is there and holds no events",
            field="filter",
            limit=MAX_VOIDED_EVENTS,
        )
