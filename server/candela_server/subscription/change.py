"""What can be done to a subscription that exists, and what comes of it (SUB-4 to SUB-6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from candela_server.catalog.create_price import NewComponent
from candela_server.catalog.model import CANCELED, PlanId, PlanVersionId, TrialEnding
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.catalog.refs import Ref
from candela_server.kernel.errors import Conflict, NotFound, Reason, Refused
from candela_server.merchant.model import TestClockId

from .migration import MoveTiming
from .model import (
    Proration,
    ScheduledPeriod,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)

ScheduledChangeId = NewType("ScheduledChangeId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """Move to another plan or price. `quantities` that are not named are carried over.

    `allow_duplicate` says that a second subscription to the plan's family is meant (SUB-9).
    """

    plan: Ref
    price_id: PriceId | None
    quantities: Mapping[ComponentId, Decimal]
    allow_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """Replace the price by another one of the same plan (SUB-4)."""

    price_id: PriceId


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityChange:
    """Hold so much of these components; others stay."""

    quantities: Mapping[ComponentId, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSwap:
    """Have another component in the place of one; `currency` is that of its amounts, None when it has none (SUB-6)."""

    component_id: ComponentId
    component: NewComponent
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Neither grant nor bill, until `resume_at` when that is given."""

    resume_at: datetime | None


@dataclass(frozen=True, slots=True)
class Resume:
    """End a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin as was agreed when it lay ahead (SUB-5); `ending` is that of a trial, None when the plan is none."""

    plan_version_id: PlanVersionId
    price_id: PriceId
    ending: TrialEnding | None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """End the subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactivation:
    """Take a canceled subscription up again; at the former price when none is named."""

    price_id: PriceId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnd:
    """Move a trial to the plan it leads to, or to what it ends in without a payment method (TRL-2)."""

    parent_plan_id: PlanId
    ending: TrialEnding = CANCELED


Change = (
    PlanChange
    | PriceOverride
    | QuantityChange
    | ComponentSwap
    | Pause
    | Resume
    | Start
    | Cancellation
    | Reactivation
    | TrialEnd
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSubscription:
    """Do this to a subscription, then.

    `timing` None means what is usual for the change, and so does `proration` None. `pinned_at` is the instant that a
    preview showed the change for; it counts instead of the present.
    """

    subscription_id: SubscriptionId
    change: Change
    timing: MoveTiming | None = None
    effective_at: datetime | None = None
    proration: Proration | None = None
    expected_version: int | None = None
    preview_token: str = ""
    pinned_at: datetime | None = None
    reason: str = ""


class ScheduledStatus(StrEnum):
    """A scheduled change's life."""

    PENDING = "pending"
    APPLIED = "applied"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledChange:
    """A change that waits for its time (SUB-5); `outcome` says why it failed or was called off."""

    id: ScheduledChangeId
    subscription_id: SubscriptionId
    test_clock_id: TestClockId | None
    status: ScheduledStatus
    due_at: datetime
    change: Change
    proration: Proration | None
    reason: str
    actor: str
    outcome: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The subscription as it is now; `at` is when it changed, None when that waits or nothing had to.

    `now` is the present of its customer. `terms` are those that it changed to, or that what waits would lead to today.
    `gone` would have been billed next of what is not held any more.
    """

    subscription: Subscription
    at: datetime | None
    now: datetime
    proration: Proration
    test_clock_id: TestClockId | None
    scheduled: ScheduledChange | None = None
    terms: SubscriptionVersion | None = None
    gone: Sequence[ScheduledPeriod] = ()

    @property
    def settles_now(self) -> bool:
        """Whether what it costs is billed at once: where that was asked for, or where no other invoice will come."""
        ended = self.subscription.version.status in (Status.CANCELED, Status.EXPIRED)
        return self.at is not None and (ended or self.proration is Proration.INVOICE_NOW)


class SubscriptionVersionMismatchError(Conflict):
    """The change was based on another version of the subscription."""

    reason = Reason.VERSION_MISMATCH

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"the subscription's version is {actual}, not {expected}; read it again, then repeat",
            expected=expected,
            actual=actual,
        )


class ScheduledChangeNotFoundError(NotFound):
    """No scheduled change of this merchant has the id."""

    reason = Reason.SCHEDULED_CHANGE_NOT_FOUND

    def __init__(self, scheduled_change_id: str) -> None:
        super().__init__(
            f"no scheduled change {scheduled_change_id}; ListScheduledChanges shows what is planned",
            scheduled_change_id=scheduled_change_id,
        )


class BillingParkedError(Refused):
    """An invoice was asked for at once of a subscription that a safety bound keeps from being invoiced."""

    reason = Reason.BILLING_PARKED

    def __init__(self, one: Subscription, parked_at: datetime) -> None:
        super().__init__(
            f"subscription {one.id} is parked since {parked_at:%Y-%m-%dT%H:%M:%SZ}, as its customer got more invoices "
            "in a day than max_invoices_per_customer_per_day; nothing of it is invoiced until an operator has looked "
            "(candela parked list) and releases it (candela parked release); change it with proration NEXT_INVOICE, "
            "which is billed then, or repeat this after the release",
            customer_id=one.customer_id,
            subscription_id=one.id,
            parked_at=parked_at,
        )


class PreviewStaleError(Refused):
    """What was previewed is not what would happen now."""

    reason = Reason.PREVIEW_TOKEN_STALE

    def __init__(self, why: str) -> None:
        super().__init__(f"the preview does not hold any more: {why}; preview again")
