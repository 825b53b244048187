"""One subscription of the model: its changes, and what its invoices bill.

An invoice brings what was billed to what is owed for everything that is due by then, as far as it can: its total is
never negative, and what it cannot give back a later one does (EVT-9, SEAT-1). Amounts are fractions; each charge is
rounded once, half up (INV-8).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from .charges import Charge, charges, owed_for_held, pool_of, usage_cost, used
from .expected import GRACE, Expected
from .happening import (
    Cancel,
    Change,
    ChangePlan,
    ChangeSeats,
    Operation,
    Pause,
    Reactivate,
    Resume,
    UndoCancel,
    Use,
)
from .periods import boundary, number_at
from .sold import Sold
from .terms import RUNNING, History, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A change that waits for its time."""

    due: datetime
    number: int
    change: Change | None
    """None for the end of a trial."""
    plan: Sold
    """What was held when it was planned: seats are those of a plan."""


@dataclass(slots=True, kw_only=True)
class Extra:
    """Units of a plan's usage that were given or bought: they pay for what is used from `since` on, once they hold."""

    plan: Sold
    amount: Decimal
    since: datetime
    paid: bool
    holds: bool


@dataclass(slots=True, kw_only=True)
class Account:
    """One subscription and its invoices; `refused` are the operations that could not be done."""

    uses: list[Use]
    history: History
    on_draft: Callable[[Expected], None]
    invoices: list[Expected] = field(default_factory=list)
    refused: list[Operation] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    count: int = 0
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

    @property
    def zone(self) -> str:
        """Whose calendar counts."""
        return self.history.zone

    # Walking

    def next_instant(self, after: datetime) -> datetime | None:
        """When something is to be done next without anybody's doing."""
        waiting = [one.due for one in self.planned]
        ahead = self.history.next_due(after)
        if ahead is not None:
            waiting.append(ahead)
        far = after + timedelta(days=500)
        waiting += [one.due for one in charges(self.history, far) if one not in self.closed]
        return min((at for at in waiting if at > after), default=None)

    def make_planned_changes(self, now: datetime) -> None:
        """Everything that was planned for an instant."""
        while due := sorted(
            (one for one in self.planned if one.due <= now),
            # The end goes first: then the others are not done at all.
            key=lambda one: (one.due, not isinstance(one.change, Cancel), one.number),
        ):
            self.planned.remove(due[0])
            moved = self.history.now.plan is not due[0].plan
            if not (moved and isinstance(due[0].change, ChangeSeats)):
                self._carry_out(due[0].change, due[0].due, now)

    def act(self, one: Operation) -> None:
        """What the customer does."""
        match one:
            case UndoCancel():
                if self.history.now.ends_at is None or self.history.now.status == "canceled":
                    self.refused.append(one)
                    return
                self.planned = [each for each in self.planned if not _ends(each)]
                self.history.append(one.at, ends_at=None)
            case Change():
                self._change(one)

    def _change(self, one: Change) -> None:
        if not self._possible(one):
            self.refused.append(one)
            return
        held = self.history.now
        when = one.when
        if when is None:
            removes = isinstance(one, ChangeSeats) and one.seats < held.seats
            when = "period end" if removes or isinstance(one, Cancel) else "now"
        at = one.at
        if when == "at":
            assert one.effective_at is not None
            at = max(at, one.effective_at)
        elif when == "period end":
            at = self._end_of_period(at)
        if at <= one.at:
            self._carry_out(one, one.at, one.at)
            return
        if isinstance(one, Cancel):
            self.planned = [each for each in self.planned if not _ends(each)]
            self.history.append(one.at, ends_at=at)
        self.plan(at, one)

    def plan(self, due: datetime, change: Change | None) -> None:
        """Keeps a change for its time."""
        self.planned.append(Planned(due=due, number=self.count, change=change, plan=self.history.now.plan))
        self.count += 1

    def _possible(self, one: Change) -> bool:
        """Which state may follow which (SUB-7)."""
        status = self.history.now.status
        match one:
            case Pause():
                return status in ("trialing", "active")
            case Resume():
                return status == "paused"
            case Reactivate():
                return status == "canceled"
            case ChangeSeats():
                return status in RUNNING and self.history.now.plan.has_seats
            case _:
                return status in RUNNING

    def _end_of_period(self, at: datetime) -> datetime:
        """When the shortest of the current periods ends; of a trial, when that does."""
        held = self.history.now
        if held.status == "trialing":
            return next(one.due for one in self.planned if one.change is None)
        ends = []
        for part in held.plan.parts:
            number = number_at(held.anchor, self.zone, part.every, at)
            start = boundary(held.anchor, self.zone, part.every, number)
            end = boundary(held.anchor, self.zone, part.every, number + 1)
            ends.append((end - start, end))
        return min(ends)[1]

    def _carry_out(self, one: Change | None, at: datetime, now: datetime) -> None:
        if one is not None and not self._possible(one):
            return
        before = self.history.now
        at = max(at, before.since)
        flags = {
            "at_once": one is not None and self._at_once(one),
            "cuts": one is None or one.proration != "none",
        }
        match one:
            case None:
                trial = before.plan.trial
                if trial is None or before.status == "canceled":
                    return
                status = "paused" if before.status == "paused" else "active"
                parent = trial.parent
                seats = _carried(before, parent)
                self.history.append(
                    at, plan=parent, seats=seats, anchor=at, status=status, **flags
                )
            case ChangePlan():
                if one.plan is before.plan:
                    return
                new: dict[str, object] = {"plan": one.plan, "seats": _carried(before, one.plan)}
                if before.status == "trialing":
                    new |= {"anchor": at, "status": "active"}
                self.planned = [each for each in self.planned if each.change is not None]
                self.history.append(at, **new, **flags)
            case ChangeSeats():
                if one.seats == before.seats:
                    return
                self.history.append(at, seats=one.seats, **flags)
            case Pause():
                self.history.append(at, status="paused", **flags)
                if one.resume_at is not None:
                    self.plan(max(one.resume_at, at), Resume(at=at, subscription=one.subscription))
            case Resume():
                self.planned = [each for each in self.planned if not isinstance(each.change, Resume)]
                tried = next(
                    each.status for each in reversed(self.history.versions) if each.status != "paused"
                )
                self.history.append(at, status=tried, **flags)
            case Cancel():
                self.planned.clear()
                self.history.append(at, status="canceled", ends_at=None, **flags)
            case Reactivate():
                self.history.append(at, status="active", anchor=at, ends_at=None, **flags)
        if self.history.now.at_once or self.history.now.status == "canceled":
            self.bill(now, asked=True)

    def _at_once(self, one: Change) -> bool:
        if one.proration is None and isinstance(one, ChangeSeats):
            return any(part.bill_immediately for part in self.history.now.plan.parts)
        return one.proration == "invoice now"

    # Billing

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
        )
        self.invoices.append(made)
        self.on_draft(made)
        return made

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
                total += usage_cost(self.history, one, amount - covered)
            else:
                # What a credit note gave back is not given back again.
                total += max(owed_for_held(self.history, one), self.credited.get(one, Decimal(0)))
        return total

    def _draws(self, one: Charge, known_at: datetime) -> dict[Hashable, Decimal]:
        """What the plan's credits pay of a span, and then what was given or bought besides: the earliest usage first."""
        pool, granted = pool_of(self.history, one)
        sources: list[tuple[Hashable, Decimal, datetime]] = [(pool, granted, one.start)]
        for number, extra in sorted(enumerate(self.extras), key=lambda pair: (pair[1].paid, pair[0])):
            if extra.plan is one.plan and extra.holds:
                sources.append((number, extra.amount, extra.since))
        left = [(use.happened_at, use.amount) for use in used(self.uses, one, known_at)]
        drawn: dict[Hashable, Decimal] = {}
        for name, amount, since in sources:
            amount -= sum(
                (draws.get(name, Decimal(0)) for other, draws in self.drawn.items() if other != one),
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


def _ends(one: Planned) -> bool:
    return isinstance(one.change, Cancel)


def _carried(before: Terms, plan: Sold) -> int:
    """As many seats as before, of who had some; and what must be held at least."""
    least = max((part.minimum_seats for part in plan.parts if part.kind == "seats"), default=0)
    return max(before.seats, least) if before.plan.has_seats else max(1, least)
