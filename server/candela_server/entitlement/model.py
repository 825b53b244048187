"""What exists here: a customer's resolved features, kept as one snapshot, and the answer to a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from candela_server.catalog.model import Feature, LimitBehavior, Metric
from candela_server.credit.rules.parts_over import PartsOver
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


class Origin(StrEnum):
    """Which store gave the usage of an answer; both give the same number.

    Doubtful counters are those that nothing vouches for while the database is away: such an answer is a stale one.
    """

    NONE = "none"
    COUNTERS = "counters"
    ROLLUPS = "rollups"
    DOUBTFUL_COUNTERS = "doubtful_counters"


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
    the reservations that stand against it (ENT-9). `past` is there where credits began or ended within the window: how
    far these go then depends on when how much was used, too (rules/bound.py).
    """

    metric: Metric
    window: Interval
    limit: Decimal | None
    behavior: LimitBehavior
    credits: Credits | None
    per_user: bool
    held: tuple[HeldQuantity, ...] = ()
    past: PartsOver | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureState:
    """One feature of one customer, resolved: everything but the usage that a check still has to read.

    `holding` says which of the customer's subscriptions decided, as a place in `Snapshot.subscription_ids`; so equal
    states of different customers are equal, and exist once (share.py).
    """

    slug: str
    value: Value
    source: Source
    denial: Denial | None
    holding: int | None
    metered: Metered | None
    valid_until: datetime | None


class FeatureTable(Mapping[str, FeatureState]):
    """The features of one customer by slug. The order of slugs is shared by all customers of a merchant."""

    __slots__ = ("_index", "_states")

    def __init__(self, index: Mapping[str, int], states: tuple[FeatureState, ...]) -> None:
        """`index` says where in `states` each slug is."""
        self._index = index
        self._states = states

    def __getitem__(self, slug: str) -> FeatureState:
        """The feature's state. Raises KeyError for an unknown slug."""
        return self._states[self._index[slug]]

    def __iter__(self) -> Iterator[str]:
        """The slugs, in order."""
        return iter(self._index)

    def __len__(self) -> int:
        """How many features there are."""
        return len(self._states)

    def place_of(self, slug: str) -> int | None:
        """Where the feature is in the order; None for an unknown slug."""
        return self._index.get(slug)

    def with_state(self, place: int, state: FeatureState) -> FeatureTable:
        """The same table with another state in one place."""
        states = self._states
        return FeatureTable(self._index, (*states[:place], state, *states[place + 1 :]))


@dataclass(slots=True, kw_only=True, eq=False)
class Snapshot:
    """All features of one customer as of a revision, until `valid_until` on the customer's clock.

    `customer_id` is None when nobody has the id that was asked about; `frozen_now` is the test clock's instant for
    customers that live on one. All of it stays as it was made but `alive`, which the cache takes away when something
    has changed; `stale` marks a copy that is served because the database cannot answer. `grown` says which features are
    in it: those that were there before the catalog had grown so often in the cache's time.

    `behind` says of each feature that is switched off what it would be if it were on, and `catalog` are the features in
    the table's order: with these, a switch needs nothing to be read (rules/switched.py). `overtaken` says that one is
    to be taken in before this is used again.

    `valid_from` is set of one that was built ahead of its time (build_ahead.py), and `asked` says whether this was
    asked for again since it was made.
    """

    customer_id: CustomerId | None
    user_id: UserId | None
    subscription_ids: tuple[str, ...]
    features: FeatureTable
    revision: int
    frozen_now: datetime | None
    valid_until: datetime | None
    alive: bool = False
    stale: bool = False
    grown: int = 0
    overtaken: bool = False
    asked: bool = False
    valid_from: datetime | None = None
    behind: Mapping[str, FeatureState] | None = None
    catalog: Sequence[Feature] = ()

    def subscription_of(self, state: FeatureState) -> str | None:
        """The subscription that decided, if one did."""
        return None if state.holding is None else self.subscription_ids[state.holding]

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the passing of time alone has changed nothing yet; `now` is the system's time."""
        if self.valid_from is not None and now < self.valid_from:
            return False
        return self.valid_until is None or (self.frozen_now or now) < self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageNow:
    """Where somebody stands with a usage feature; amounts are exact and in the metric's unit.

    `remaining` is already reduced by `reserved`, what reservations hold (ENT-9).
    """

    used: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    resets_at: datetime | None
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
    origin: Origin


class RevisionUnavailableError(Unavailable):
    """The caller has seen a later state than this server can read."""

    reason = Reason.REVISION_UNAVAILABLE

    def __init__(self, wanted: int, actual: int) -> None:
        super().__init__(
            f"revision {wanted} was asked for and {actual} is the latest here; try again",
            wanted=wanted,
            actual=actual,
        )
