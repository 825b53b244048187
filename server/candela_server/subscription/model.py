"""What exists here: subscriptions, their append-only versions, and what is billed next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from candela_server.catalog.model import PlanId, PlanVersionId
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import NotFound, Reason, Refused
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId

SubscriptionId = NewType("SubscriptionId", str)


class Status(StrEnum):
    """Where a subscription stands (SUB-7)."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    CANCELED = "canceled"
    EXPIRED = "expired"


class CollectionMethod(StrEnum):
    """How invoices are paid."""

    SEND_INVOICE = "send_invoice"
    CHARGE_AUTOMATICALLY = "charge_automatically"


class Proration(StrEnum):
    """What becomes of the part of a period that a change cuts off (SEAT-1)."""

    NEXT_INVOICE = "next_invoice"
    INVOICE_NOW = "invoice_now"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionVersion:
    """The terms from an instant on. `quantities` are held of PER_UNIT components; `valid_to` None: in force.

    `anchor_at` is what periods are counted from, when that is not what the subscription began with. `terms_since` is
    when its plan took another's place: what that one granted counts no more. `proration` says what became of the
    periods that this version cut.
    """

    number: int
    status: Status
    plan_id: PlanId
    plan_version_id: PlanVersionId
    price_id: PriceId
    quantities: Mapping[ComponentId, Decimal]
    valid_from: datetime
    valid_to: datetime | None
    reason: str
    actor: str
    anchor_at: datetime | None = None
    cancel_at: datetime | None = None
    terms_since: datetime | None = None
    proration: Proration = Proration.NEXT_INVOICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A customer's hold on a plan, with one version of its terms.

    `anchor_at` is what this version counts periods from.
    """

    id: SubscriptionId
    customer_id: CustomerId
    currency: str
    anchor_at: datetime
    time_zone: str
    collection_method: CollectionMethod
    metadata: Mapping[str, str]
    created_at: datetime
    version: SubscriptionVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTerms:
    """By what a component is billed that is not held any more: its price, and how much of it was held."""

    plan_version_id: PlanVersionId
    price_id: PriceId
    held: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledPeriod:
    """The next period of one component that will be billed, and when it is due.

    One with `last_terms` is billed by them, and nothing follows it.
    """

    subscription_id: SubscriptionId
    component_id: ComponentId
    test_clock_id: TestClockId | None
    period_number: int
    period: Interval
    due_at: datetime
    last_terms: LastTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedSubscription:
    """A subscription that is not billed until a person looks (a safety bound was reached)."""

    merchant_id: str
    customer_id: CustomerId
    subscription_id: SubscriptionId
    test_clock_id: TestClockId | None
    parked_at: datetime
    due_at: datetime


class SubscriptionNotFoundError(NotFound):
    """No subscription of this merchant has the id."""

    reason = Reason.SUBSCRIPTION_NOT_FOUND

    def __init__(self, subscription_id: str) -> None:
        super().__init__(
            f"no subscription {subscription_id}; ListSubscriptions shows what exists",
            subscription_id=subscription_id,
        )


class DuplicateSubscriptionError(Refused):
    """A second active subscription to the same plan family is most often a mistake (SUB-9)."""

    reason = Reason.SUBSCRIPTION_DUPLICATE

    def __init__(self, subscription_id: str) -> None:
        super().__init__(
            f"the customer holds {subscription_id} to this plan, or to a trial of it, already; "
            "set allow_duplicate if a second one is meant",
            subscription_id=subscription_id,
        )


class TransitionRefusedError(Refused):
    """The table of states does not allow the change (SUB-7)."""

    reason = Reason.SUBSCRIPTION_TRANSITION_REFUSED

    def __init__(self, before: Status, after: Status) -> None:
        # The contract's own words, one of which Python keeps for itself.
        change: dict[str, Any] = {"from": before, "to": after}
        super().__init__(
            f"a subscription that is {before} cannot become {after}; see SubscriptionStatus",
            **change,
        )
