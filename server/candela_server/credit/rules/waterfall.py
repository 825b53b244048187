"""Who pays first: the one order in which grants are drawn from (CRD-8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from candela_server.catalog.model import CreditScope
from candela_server.credit.model import CreditGrant, Draw, Funding
from candela_server.kernel.interval import Interval

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


@dataclass(frozen=True, slots=True)
class UsedSpan:
    """What was used in a part of a period."""

    span: Interval
    used: Decimal


def draw_in_spans(
    grants: Iterable[CreditGrant], spans: Sequence[UsedSpan], amount: Decimal
) -> tuple[Draws, list[UsedSpan]]:
    """As `draw`, but each grant pays for what was used in its own time only; also what is left of each span.

    A grant pays for the earliest usage that it can pay for. `amount` bounds all draws together: what was measured of
    the whole period, from which corrections in one part may have taken what another part used.
    """
    left = [max(one.used, Decimal(0)) for one in spans]
    wanted = max(amount, Decimal(0))
    uncovered = wanted
    draws = []
    for grant in in_order(grants):
        taken = Decimal(0)
        for index, one in enumerate(spans):
            if grant.covers(one.span):
                part = min(left[index], max(grant.balance, Decimal(0)) - taken, uncovered)
                left[index] -= part
                taken += part
                uncovered -= part
        if taken > 0:
            draws.append(grant.draw(taken))
    rest = [UsedSpan(one.span, used) for one, used in zip(spans, left, strict=True)]
    return Draws(tuple(draws), uncovered), rest


def cuts_of(grants: Iterable[CreditGrant], period: Interval) -> list[datetime]:
    """The instants inside a period at which a grant begins or ends to pay, in order."""
    instants = {
        instant
        for grant in grants
        for instant in (grant.effective_at, grant.expires_at)
        if instant is not None and period.start_at < instant < period.end_at
    }
    return sorted(instants)


def draw(grants: Iterable[CreditGrant], amount: Decimal) -> Draws:
    """Takes `amount` from the grants' balances, in order; what they do not hold stays uncovered."""
    left = max(amount, Decimal(0))
    draws = []
    for grant in in_order(grants):
        taken = min(left, max(grant.balance, Decimal(0)))
        if taken > 0:
            draws.append(grant.draw(taken))
            left -= taken
    return Draws(tuple(draws), left)
