"""What a migration is: a move of subscribers to another version of their plan, and what became of each (CAT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from candela_server.catalog.model import PlanId, PlanVersionId
from candela_server.catalog.price import PriceId
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import NotFound, Reason
from candela_server.merchant.model import TestClockId

from .model import SubscriptionId

MigrationId = NewType("MigrationId", str)


class MoveTiming(StrEnum):
    """When subscriptions move."""

    NOW = "now"
    PERIOD_END = "period_end"
    AT = "at"


class Proration(StrEnum):
    """What becomes of the part of a period that a change cuts off (SEAT-1)."""

    NEXT_INVOICE = "next_invoice"
    INVOICE_NOW = "invoice_now"
    NONE = "none"


class MigrationStatus(StrEnum):
    """A migration's life; it runs until every subscription is moved or could not be."""

    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"


class Outcome(StrEnum):
    """What became of one subscription; MOVED and FAILED are final."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    MOVED = "moved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFilter:
    """Whom a migration reaches; all conditions hold, and an empty one is none.

    Subscriptions that are named are reached wherever they stand, so that each gets an answer; else it is those on the
    version that have not ended.
    """

    subscription_ids: tuple[SubscriptionId, ...] = ()
    customer_ids: tuple[CustomerId, ...] = ()
    price_ids: tuple[PriceId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationTerms:
    """Who is to move from where to where, and when; `effective_at` is there for AT only, on each customer's clock."""

    from_version_id: PlanVersionId
    to_version_id: PlanVersionId
    filter: MigrationFilter
    timing: MoveTiming
    effective_at: datetime | None
    proration: Proration

    def __post_init__(self) -> None:
        assert (self.timing is MoveTiming.AT) == (self.effective_at is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration and how far it is; `done_count` counts scheduled moves too. `actor` is who began it."""

    id: MigrationId
    plan_id: PlanId
    terms: MigrationTerms
    actor: str
    status: MigrationStatus
    total_count: int
    done_count: int
    failed_count: int
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationResult:
    """What became of one subscription; `reason` says why it failed, `due_at` when it moves or moved."""

    subscription_id: SubscriptionId
    currency: str
    outcome: Outcome
    reason: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWork:
    """A migration with subscriptions on one clock that nobody has decided about yet."""

    merchant_id: str
    migration_id: MigrationId
    test_clock_id: TestClockId | None


class MigrationNotFoundError(NotFound):
    """No migration of this merchant has the id."""

    reason = Reason.MIGRATION_NOT_FOUND

    def __init__(self, migration_id: str) -> None:
        super().__init__(
            f"no migration {migration_id}; ListMigrations shows what exists",
            migration_id=migration_id,
        )
