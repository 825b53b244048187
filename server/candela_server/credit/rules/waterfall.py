"""Who pays first: the one order in which grants are drawn from (CRD-8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from candela_server.catalog.model import CreditScope
from candela_server.credit.model import CreditGrant, Draw, Funding

_SCOPES = {
    CreditScope.COMPONENT: 0,
    CreditScope.PRICE: 1,
    CreditScope.PLAN: 2,
    CreditScope.MERCHANT: 3,
}
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Draws:
    """What each grant pays, in the order of drawing, and what nobody covers."""

    draws: tuple[Draw, ...]
    uncovered: Decimal

    @property
    def covered(self) -> Decimal:
        """What the grants pay together."""
        return sum((draw.amount for draw in self.draws), Decimal(0))


def in_order(grants: Iterable[CreditGrant]) -> list[CreditGrant]:
    """The grants in the order they pay.

    Narrow scopes first; inside a scope by priority, then the soonest expiry (none is last), then what was free before
    what was paid for, then the oldest, and at last by id, so that the order is always the same.
    """
    return sorted(
        grants,
        key=lambda grant: (
            _SCOPES[grant.scope],
            grant.priority,
            grant.expires_at or _NEVER,
            grant.funding is Funding.PAID,
            grant.created_at,
            grant.id,
        ),
    )


def draw(grants: Iterable[CreditGrant], amount: Decimal) -> Draws:
    """Takes `amount` from the grants' balances, in order; what they do not hold stays uncovered."""
    left = max(amount, Decimal(0))
    draws = []
    for grant in in_order(grants):
        taken = min(left, max(grant.balance, Decimal(0)))
        if taken > 0:
            draws.append(Draw(grant.id, taken))
            left -= taken
    return Draws(tuple(draws), left)
