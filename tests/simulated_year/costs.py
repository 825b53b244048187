"""What one subscription's charges cost, and which credits pay for its usage (CRD-5 to CRD-9, DSL-7)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from .allowances import granted, granted_again, granted_since, pool_of
from .charges import Charge, Earlier, begun, days_in, owed_for_held, usage_cost, used
from .happening import Use
from .sold import Sold
from .terms import History


@dataclass(slots=True, kw_only=True)
class Extra:
    """Units of a plan's usage that were given or bought: they pay for what is used from `since` on, once they hold."""

    plan: Sold
    amount: Decimal
    since: datetime
    paid: bool
    holds: bool


@dataclass(slots=True, kw_only=True)
class Costs:
    """What is held and used of a subscription, and what each charge of it costs."""

    uses: list[Use]
    history: History
    credited: dict[Charge, Decimal] = field(default_factory=dict)
    """What credit notes took back of it, other than unused days."""
    extras: list[Extra] = field(default_factory=list)
    drawn: dict[Charge, dict[Hashable, Decimal]] = field(default_factory=dict)
    """What each span of usage takes from the credits of its plan, and from others."""
    carried: dict[Hashable, Decimal] = field(default_factory=dict)
    """What the credits of a period got from the period before, less what they gave to the next."""

    def cost(self, one: Charge, *, known_at: datetime) -> Decimal:
        if not one.is_usage:
            # What a credit note gave back is not given back again.
            return max(owed_for_held(self.history, one), self.credited.get(one, Decimal(0)))
        self.drawn[one] = self._draws(one, known_at)
        amount = sum((use.amount for use in used(self.uses, one, known_at)), Decimal(0))
        covered = sum(self.drawn[one].values(), Decimal(0))
        earlier = self._earlier(one, known_at)
        # Where more costs less, by a cheaper volume tier, credit makes nothing dearer (CRD-7).
        return min(
            usage_cost(self.history, one, amount, earlier),
            usage_cost(self.history, one, amount - covered, earlier),
        )

    def _earlier(self, one: Charge, known_at: datetime) -> Earlier:
        """What was used in the same period before the plan was left and joined again."""
        parts = [
            other
            for other in self.drawn
            if (other.plan, other.part.name, other.anchor, other.number)
            == (one.plan, one.part.name, one.anchor, one.number)
            and other.end <= one.start
        ]
        quantity = Decimal(0)
        for other in parts:
            quantity += sum((use.amount for use in used(self.uses, other, known_at)), Decimal(0))
            quantity -= sum(self.drawn[other].values(), Decimal(0))
        return Earlier(
            quantity=max(quantity, Decimal(0)),
            days=sum(days_in(self.history, other) for other in parts),
        )

    def left(self, now: datetime, known_at: datetime) -> Decimal:
        """What the credits for the usage of the period that runs have left, of a plan that is never changed."""
        [one] = [one for one in begun(self.history, now) if one.is_usage and now < one.end]
        pool = pool_of(self.history, one)
        drawn = [*(draws for other, draws in self.drawn.items() if other != one)]
        drawn.append(self._draws(one, known_at))
        holds: dict[Hashable, Decimal] = {
            number: extra.amount for number, extra in enumerate(self.extras) if extra.holds
        }
        holds[pool] = granted(self.history, self.uses, pool) + self.carried.get(pool, Decimal(0))
        taken = (draws.get(name, Decimal(0)) for draws in drawn for name in holds)
        return sum(holds.values(), Decimal(0)) - sum(taken, Decimal(0))

    def _draws(self, one: Charge, known_at: datetime) -> dict[Hashable, Decimal]:
        """What the plan's credits pay of a span, then what was given or bought besides: the earliest usage first."""
        pool = pool_of(self.history, one)
        own = granted(self.history, self.uses, pool) + self.carried.get(pool, Decimal(0))
        since = granted_since(self.history, pool)
        sources: list[tuple[Hashable, Decimal, datetime]] = [(pool, own, since)]
        sources += [
            ((pool, again), amount, again)
            for again, amount in granted_again(self.history, self.uses, pool)
        ]
        for number, extra in sorted(
            enumerate(self.extras), key=lambda pair: (pair[1].paid, pair[0])
        ):
            if extra.plan is one.plan.product and extra.holds:
                sources.append((number, extra.amount, extra.since))
        left = [(use.happened_at, use.amount) for use in used(self.uses, one, known_at)]
        drawn: dict[Hashable, Decimal] = {}
        for name, amount, since in sources:
            amount -= sum(
                (
                    draws.get(name, Decimal(0))
                    for other, draws in self.drawn.items()
                    if other != one
                ),
                Decimal(0),
            )
            usable = sum((used_ for at, used_ in left if at >= since), Decimal(0))
            drawn[name] = min(max(amount, Decimal(0)), usable)
            left = _taken(left, since, drawn[name])
        return drawn

    def carry_over(self, one: Charge, cap: Decimal) -> None:
        """Who has such credits never changes the plan, so that each period is one span."""
        pool = pool_of(self.history, one)
        left = (
            granted(self.history, self.uses, pool)
            + self.carried.get(pool, Decimal(0))
            - self.drawn[one][pool]
        )
        amount = min(cap, left)
        following = replace(pool, number=pool.number + 1)
        self.carried[pool] = self.carried.get(pool, Decimal(0)) - amount
        self.carried[following] = self.carried.get(following, Decimal(0)) + amount


def _taken(
    left: list[tuple[datetime, Decimal]], since: datetime, amount: Decimal
) -> list[tuple[datetime, Decimal]]:
    rest = []
    for at, one in sorted(left):
        taken = min(one, amount) if at >= since else Decimal(0)
        amount -= taken
        rest.append((at, one - taken))
    return rest
