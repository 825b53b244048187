"""What exists here: grants of credit and the transactions that change their balances (CRD-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final, NewType

from candela_server.catalog.model import (
    CreditApplicationType,
    CreditDefinition,
    CreditDefinitionId,
    CreditScope,
    FeatureId,
    MetricId,
)
from candela_server.catalog.price import ComponentId
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import Conflict, NotFound, Reason, Refused
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, format_decimal

COST_PLACES: Final = 12
"""A part of what a grant was sold for is as fine as a unit price may be."""

SINCE_AT_MOST: Final = timedelta(microseconds=1)
"""Terms that take others' place at the instant at which those began are said to begin so much later: what both brought
began at that very instant."""

GrantId = NewType("GrantId", str)
CreditTransactionId = NewType("CreditTransactionId", str)


class Funding(StrEnum):
    """Where a grant comes from."""

    INCLUDED = "included"
    FREE = "free"
    PROMOTION = "promotion"
    PAID = "paid"
    ROLLOVER = "rollover"


class TransactionKind(StrEnum):
    """What changed a balance."""

    GRANT = "grant"
    DRAW = "draw"
    EXPIRE = "expire"
    REVOKE = "revoke"
    RESTORE = "restore"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What invoice lines of a period took from a grant's balance, or drafts will take; negative when they gave back."""

    period: Interval
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGrant:
    """One allotment of credit; `balance` is the sum of its transactions when it was read.

    It can pay for usage whose own time lies in [effective_at, expires_at), whatever the clock shows when the invoice
    is made. `cost_basis` is what was asked for all of it as it was sold; None of credit that was not. `taken` is there
    where it was read for checks: what is off the balance for periods that may still run (rules/billed_within.py).
    `ordinal` tells apart the grants of a definition that begin at one instant: 0 for the first.
    """

    id: GrantId
    customer_id: CustomerId
    subscription_id: str | None
    definition_id: CreditDefinitionId | None
    application_type: CreditApplicationType
    scope: CreditScope
    feature_id: FeatureId | None
    metric_id: MetricId | None
    component_id: ComponentId | None
    currency: str | None
    amount: Decimal
    balance: Decimal
    effective_at: datetime
    expires_at: datetime | None
    priority: int
    funding: Funding
    billing_visible: bool
    reason: str
    created_at: datetime
    cost_basis: Money | None = None
    taken: tuple[Taken, ...] = ()
    ordinal: int = 0

    def draw(self, amount: Decimal) -> Draw:
        """What it pays, with its share of what was asked for the grant."""
        if self.cost_basis is None:
            return Draw(self.id, amount)
        share = Fraction(self.cost_basis.amount) * Fraction(amount) / Fraction(self.amount)
        cost = Decimal(round(share * 10**COST_PLACES)).scaleb(-COST_PLACES)
        return Draw(self.id, amount, Money(currency=self.cost_basis.currency, amount=cost))

    def counts_at(self, instant: datetime) -> bool:
        """Whether it can pay for usage of this instant."""
        return self.effective_at <= instant and (
            self.expires_at is None or instant < self.expires_at
        )

    @property
    def outlasts_periods(self) -> bool:
        """Whether it goes on when a billing period ends, so that what the period used of it stays used."""
        return self.application_type is CreditApplicationType.USAGE and (
            self.subscription_id is None or self.expires_at is None
        )

    def overlaps(self, period: Interval) -> bool:
        """Whether it can pay for usage of a part of the period at least."""
        return self.effective_at < period.end_at and (
            self.expires_at is None or period.start_at < self.expires_at
        )

    def covers(self, period: Interval) -> bool:
        """Whether it can pay for usage of the whole period."""
        return self.effective_at <= period.start_at and (
            self.expires_at is None or period.end_at <= self.expires_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTransaction:
    """One change of a grant's balance; never changed, never deleted."""

    id: CreditTransactionId
    grant_id: GrantId
    kind: TransactionKind
    amount: Decimal
    invoice_line_id: str | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodGrant:
    """What a definition grants to one subscription for one period; `expires_at` None: for ever."""

    customer_id: CustomerId
    subscription_id: str
    definition: CreditDefinition
    amount: Decimal
    effective_at: datetime
    expires_at: datetime | None
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Draw:
    """What one grant pays; `cost_basis` is what that part of the grant was sold for, if it was (CRD-9)."""

    grant_id: GrantId
    amount: Decimal
    cost_basis: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraw:
    """What one grant pays for one invoice line."""

    grant_id: GrantId
    amount: Decimal
    invoice_line_id: str
    at: datetime


class GrantNotFoundError(NotFound):
    """No grant of this merchant has the id."""

    reason = Reason.GRANT_NOT_FOUND

    def __init__(self, grant_id: str) -> None:
        super().__init__(
            f"no grant {grant_id}; ListGrants shows what a customer has", grant_id=grant_id
        )


class GrantInsufficientError(Refused):
    """A grant holds less than was to be taken."""

    reason = Reason.GRANT_INSUFFICIENT

    def __init__(self, grant_id: GrantId, balance: Decimal) -> None:
        super().__init__(
            f"grant {grant_id} has {format_decimal(balance)} left; take at most that, "
            "or take back all of it by RevokeGrant",
            grant_id=grant_id,
            balance=balance,
        )


class GrantSpentMeanwhileError(Conflict):
    """Another transaction took from a grant between reading its balance and drawing from it."""

    def __init__(self) -> None:
        super().__init__("a grant was drawn from or revoked at the same moment; try again")
