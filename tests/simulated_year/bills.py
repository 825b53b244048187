"""What the invoices of one subscription bill.

An invoice brings what was billed to what is owed for everything that is due by then, as far as it can: its total is
never negative, and what it cannot give back a later one does (EVT-9, SEAT-1). Amounts are fractions; each charge is
rounded once, half up (INV-8).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from .charges import Charge, charges, owed_for_held, pool_of, usage_cost, used
from .expected import GRACE, Expected
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
class Bills:
    """A subscription's invoices, and all that they follow from."""

    uses: list[Use]
    history: History
    on_draft: Callable[[Expected], None]
    invoices: list[Expected] = field(default_factory=list)
    billed: Decimal = Decimal(0)
    """What its invoices come to, before money that pays for some of it."""
    closed: set[Charge] = field(default_factory=set)
    """What is on invoices."""
    hidden: set[Charge] = field(default_factory=set)
    """What was on invoices that are void."""
    at_draft: dict[Charge, Decimal] = field(default_factory=dict)
    """What is on drafts, as these say."""
    costs: dict[Charge, Decimal] = field(default_factory=dict)
    """What each charge cost when an invoice was last made."""
    credited: dict[Charge, Decimal] = field(default_factory=dict)
    """What credit notes gave back."""
    extras: list[Extra] = field(default_factory=list)
    drawn: dict[Charge, dict[Hashable, Decimal]] = field(default_factory=dict)
    """What each span of usage takes from the credits of its plan, and from others."""

    def bill(self, now: datetime, *, asked: bool = False) -> None:
        """An invoice, if something is due; or, where one is asked for, if something is to be paid."""
        due = self._due(now)
        fresh = [one for one in due if one not in self.closed and not one.rides]
        if fresh or (asked and self._cost_of_rest(due, now) > self.billed):
            self.draft(fresh, now, waits=any(one.is_usage for one in fresh))

    def draft(self, fresh: list[Charge], now: datetime, *, waits: bool) -> Expected:
        """An invoice of these charges, and of the difference that others make; adjustments stay as they are made."""
        early = self._cost(fresh, known_at=now)
        rest = [one for one in self._due(now) if one not in fresh]
        costs = {one: self._cost_of_rest([one], now) for one in rest}
        difference = max(sum(costs.values(), Decimal(0)) - self.billed, -early)
        self.billed += early + difference
        changes = [cost - self.costs.get(one, Decimal(0)) for one, cost in costs.items()]
        costs_before, self.costs = self.costs, costs
        for one in fresh:
            self.closed.add(one)
            self.at_draft[one] = self._cost([one], known_at=now)
        made = Expected(
            account=self,
            made_at=now,
            finalizes_at=now + GRACE if waits else now,
            fresh=fresh,
            difference=difference,
            early=early,
            gives_back=min(changes, default=0) < 0 or difference != sum(changes),
            costs_before=costs_before,
            cut=any(not one.is_usage and self._is_cut(one) for one in fresh),
        )
        self.invoices.append(made)
        self.on_draft(made)
        return made

    def _is_cut(self, one: Charge) -> bool:
        held = self.history.held_days(one.plan, one.part, one.anchor, one.start, one.end)
        return len(set(held)) > 1

    def rate_again(self, made: Expected, now: datetime) -> Decimal:
        """What a draft bills as it is finalized: usage with what was reported in its grace, the rest as it was made."""
        for one in made.fresh:
            self.drawn.pop(one, None)
        for one in sorted(made.fresh, key=lambda one: one.start):
            drafted = self.at_draft.pop(one)
            made.costs[one] = self._cost([one], known_at=now) if one.is_usage else drafted
        self.costs |= made.costs
        cost = sum(made.costs.values(), Decimal(0))
        self.billed += cost - made.early
        return cost + made.difference

    def take_back(self, made: Expected) -> None:
        """What a void invoice billed is billed no more; its charges wait for a reissue."""
        self.billed -= made.billed
        self.costs = made.costs_before
        self.hidden.update(made.fresh)
        for one in made.fresh:
            self.drawn.pop(one, None)

    def _due(self, now: datetime) -> list[Charge]:
        return [one for one in charges(self.history, now) if one not in self.hidden]

    def _cost_of_rest(self, rest: list[Charge], now: datetime) -> Decimal:
        """What is owed for what is on invoices already, and for what rides on this one."""
        total = Decimal(0)
        for one in rest:
            if one.is_usage and one in self.at_draft:
                total += self.at_draft[one]
            else:
                total += self._cost([one], known_at=now)
        return total

    def _cost(self, some: list[Charge], *, known_at: datetime) -> Decimal:
        total = Decimal(0)
        for one in sorted(some, key=lambda one: one.start):
            if one.is_usage:
                self.drawn[one] = self._draws(one, known_at)
                amount = sum((use.amount for use in used(self.uses, one, known_at)), Decimal(0))
                covered = sum(self.drawn[one].values(), Decimal(0))
                # Where more costs less, by a cheaper volume tier, credit makes nothing dearer (CRD-7).
                total += min(
                    usage_cost(self.history, one, amount),
                    usage_cost(self.history, one, amount - covered),
                )
            else:
                # What a credit note gave back is not given back again.
                total += max(owed_for_held(self.history, one), self.credited.get(one, Decimal(0)))
        return total

    def _draws(self, one: Charge, known_at: datetime) -> dict[Hashable, Decimal]:
        """What the plan's credits pay of a span, then what was given or bought besides: the earliest usage first."""
        pool, granted = pool_of(self.history, one)
        sources: list[tuple[Hashable, Decimal, datetime]] = [(pool, granted, one.start)]
        for number, extra in sorted(
            enumerate(self.extras), key=lambda pair: (pair[1].paid, pair[0])
        ):
            if extra.plan is one.plan and extra.holds:
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


def _taken(
    left: list[tuple[datetime, Decimal]], since: datetime, amount: Decimal
) -> list[tuple[datetime, Decimal]]:
    rest = []
    for at, one in sorted(left):
        taken = min(one, amount) if at >= since else Decimal(0)
        amount -= taken
        rest.append((at, one - taken))
    return rest
