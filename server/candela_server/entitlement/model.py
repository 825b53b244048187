"""What exists here: a customer's resolved features, kept as one snapshot, and the answer to a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from candela_server.catalog.model import LimitBehavior, Metric
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.errors import Unavailable
from candela_server.kernel.interval import Interval
from candela_server.kernel.reason import Reason

Value = bool | Decimal | str
"""A feature's value: yes or no, a number, or a text."""


class Source(StrEnum):
    """What decided an answer, in the order of precedence (ENT-3)."""

    OVERRIDE = "override"
    PLAN = "plan"
    CREDITS = "credits"
    DEFAULT = "default"


class Denial(StrEnum):
    """Why a customer is not entitled (ENT-6)."""

    FEATURE_NOT_IN_PLAN = "feature_not_in_plan"
    FEATURE_OFF = "feature_off"
    LIMIT_REACHED = "limit_reached"
    CREDITS_EXHAUSTED = "credits_exhausted"
    NO_ACTIVE_SUBSCRIPTION = "no_active_subscription"
    SUBSCRIPTION_PAST_DUE = "subscription_past_due"
    SUBSCRIPTION_PAUSED = "subscription_paused"
    CUSTOMER_UNKNOWN = "customer_unknown"
    FEATURE_DISABLED = "feature_disabled"
    NO_SEAT = "no_seat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """The usage credits behind a feature now: what was granted for the window, and when some next expires."""

    allowance: Decimal
    next_expiry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldQuantity:
    """A quantity that a reservation holds until it expires; None for use whose event is on its way (ENT-9)."""

    quantity: Decimal
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """How a usage feature is counted and bounded in the current window (ENT-4).

    `limit` is None when nothing bounds the use. `per_user` says that the limit is each user's own (ENT-7). `held` are
    the reservations that stand against it (ENT-9).
    """

    metric: Metric
    window: Interval
    limit: Decimal | None
    behavior: LimitBehavior
    credits: Credits | None
    per_user: bool
    held: tuple[HeldQuantity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureState:
    """One feature of one customer, resolved: everything but the usage that a check still has to read."""

    slug: str
    value: Value
    source: Source
    denial: Denial | None
    subscription_id: str | None
    metered: Metered | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All features of one customer as of a revision, until `valid_until` on the customer's clock.

    `customer_id` is None when nobody has the id that was asked about; `frozen_now` is the test clock's instant for
    customers that live on one. `shown` is where the wire keeps what never changes of an answer while this snapshot
    lives.
    """

    customer_id: CustomerId | None
    user_id: UserId | None
    features: Mapping[str, FeatureState]
    revision: int
    frozen_now: datetime | None
    valid_until: datetime | None
    shown: dict[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageNow:
    """Where somebody stands with a usage feature; amounts are exact and in the metric's unit.

    `remaining` is already reduced by `reserved`, what reservations hold (ENT-9).
    """

    used: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    resets_at: datetime
    behavior: LimitBehavior
    per_user: bool
    reserved: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a customer may do with a feature now (ENT-6)."""

    state: FeatureState
    entitled: bool
    denial: Denial | None
    usage: UsageNow | None
    credits_remaining: Decimal | None


class RevisionUnavailableError(Unavailable):
    """The caller has seen a later state than this server can read."""

    reason = Reason.REVISION_UNAVAILABLE

    def __init__(self, wanted: int, actual: int) -> None:
        super().__init__(
            f"revision {wanted} was asked for and {actual} is the latest here; try again",
            wanted=wanted,
            actual=actual,
        )
