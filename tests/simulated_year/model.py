"""What the year must cost, computed slowly from the specification; nothing of the server is imported here.

A subscription is walked through, instant by instant: drafts are finalized, planned changes made, what is due is billed,
and then its customer acts. An invoice brings what was billed to what is owed for everything that is due by then, as far
as it can: its total is never negative, and what it cannot give back a later one does (EVT-9, SEAT-1). Amounts are
fractions; each charge is rounded once, half up (INV-8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from .charges import Charge, charges, owed_for_held, pool_of, usage_cost, used
from .happening import (
    Cancel,
    Change,
    ChangePlan,
    ChangeSeats,
    Life,
    Operation,
    Pause,
    Reactivate,
    Resume,
    Subscribe,
    UndoCancel,
    Use,
)
from .lifecycle import PRICES_INCLUDE_TAX_SINCE
from .periods import boundary, days_later, number_at
from .sold import Sold
from .taxes import Tax, tax_on
from .terms import RUNNING, History, Terms

GRACE = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class Expected:
    """An invoice: when it is made and finalized, what its lines come to, and its tax."""

    made_at: datetime
    finalized_at: datetime
    subtotal: Decimal
    tax: Tax

    @property
    def total(self) -> Decimal:
        """What is asked for."""
        return self.subtotal + (0 if self.tax.inclusive else self.tax.amount)


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
class Account:
    """One subscription and its invoices; `refused` are the operations that could not be done."""

    life: Life
    uses: list[Use]
    history: History
    invoices: list[Expected] = field(default_factory=list)
    refused: list[Operation] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    count: int = 0
    billed: Decimal = Decimal(0)
    closed: dict[Charge, datetime] = field(default_factory=dict)
    """What is on invoices, and when these are finalized."""
    drawn: dict[Charge, Decimal] = field(default_factory=dict)
    """What each span of usage takes from its plan's credits."""

    @property
    def zone(self) -> str:
        """Whose calendar counts."""
        return self.life.time_zone

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

    def pass_time(self, now: datetime) -> None:
        """Everything that happens at an instant by itself."""
        while due := sorted(
            (one for one in self.planned if one.due <= now),
            # The end goes first: then the others are not done at all.
            key=lambda one: (one.due, not isinstance(one.change, Cancel), one.number),
        ):
            self.planned.remove(due[0])
            moved = self.history.now.plan is not due[0].plan
            if not (moved and isinstance(due[0].change, ChangeSeats)):
                self._carry_out(due[0].change, due[0].due, now)
        self.bill(now)

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
        due = charges(self.history, now)
        fresh = [one for one in due if one not in self.closed and not one.rides]
        if not fresh and not asked:
            return
        # What was used is looked at again as the draft is finalized; adjustments are not.
        early = self._cost(fresh, known_at=now)
        rest = [one for one in due if one not in fresh]
        difference = self._cost_of_rest(rest, now) - self.billed
        difference = max(difference, -early)
        if not fresh and difference <= 0:
            return
        has_usage = any(one.is_usage for one in fresh)
        finalized_at = now + GRACE if has_usage else now
        total = self._cost(fresh, known_at=finalized_at) + difference
        for one in fresh:
            self.closed[one] = finalized_at
        self.billed += total
        self.invoices.append(
            Expected(
                made_at=now, finalized_at=finalized_at, subtotal=total, tax=self._tax(total, finalized_at)
            )
        )

    def _tax(self, subtotal: Decimal, finalized_at: datetime) -> Tax:
        return tax_on(
            subtotal,
            self.history.now.plan.minor_digits,
            self.life.buyer_at(finalized_at),
            inclusive=finalized_at > PRICES_INCLUDE_TAX_SINCE,
        )

    def _cost_of_rest(self, rest: list[Charge], now: datetime) -> Decimal:
        """What is owed for what is on invoices already, and for what rides on this one."""
        total = Decimal(0)
        for one in rest:
            finalized_at = self.closed.get(one, now)
            total += self._cost([one], known_at=max(now, finalized_at))
        return total

    def _cost(self, some: list[Charge], *, known_at: datetime) -> Decimal:
        total = Decimal(0)
        for one in sorted(some, key=lambda one: one.start):
            if not one.is_usage:
                total += owed_for_held(self.history, one)
                continue
            amount = used(self.uses, one, known_at)
            pool, granted = pool_of(self.history, one)
            others = sum(
                (
                    taken
                    for other, taken in self.drawn.items()
                    if other != one and pool_of(self.history, other)[0] == pool
                ),
                Decimal(0),
            )
            self.drawn[one] = min(amount, max(granted - others, Decimal(0)))
            total += usage_cost(self.history, one, amount - self.drawn[one])
        return total


def _ends(one: Planned) -> bool:
    return isinstance(one.change, Cancel)


def _carried(before: Terms, plan: Sold) -> int:
    """As many seats as before, of who had some; and what must be held at least."""
    least = max((part.minimum_seats for part in plan.parts if part.kind == "seats"), default=0)
    return max(before.seats, least) if before.plan.has_seats else max(1, least)


def live(life: Life, until: datetime) -> dict[str, Account]:
    """The accounts of a customer's subscriptions at the end."""
    return {
        one.subscription: _live(life, one, until)
        for one in life.operations
        if isinstance(one, Subscribe)
    }


def _live(life: Life, begun: Subscribe, until: datetime) -> Account:
    own = life.of(begun.subscription)
    trial = begun.plan.trial
    history = History(
        life.time_zone,
        [
            Terms(
                since=begun.start_at,
                status="trialing" if trial else "active",
                plan=begun.plan,
                seats=begun.seats,
                anchor=begun.start_at,
            )
        ],
    )
    account = Account(
        life=life, uses=[one for one in own if isinstance(one, Use)], history=history
    )
    if trial is not None:
        account.plan(days_later(begun.start_at, life.time_zone, trial.days), None)
    now = begun.at
    actions = [one for one in own if not isinstance(one, Use | Subscribe)]
    account.pass_time(now)
    while True:
        at = account.next_instant(now)
        if actions and (at is None or actions[0].at < at):
            # Whatever is due by itself at that instant is done before.
            account.act(one := actions.pop(0))
            account.bill(one.at)
            now = one.at
            continue
        if at is None or at > until:
            return account
        account.pass_time(at)
        now = at
