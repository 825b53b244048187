"""One subscription of the model: what changes, and when (SUB-4 to SUB-7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .bills import Bills
from .charges import charges
from .happening import (
    AssignSeat,
    Cancel,
    Change,
    ChangePlan,
    ChangeSeats,
    Operation,
    OverridePrice,
    Pause,
    Reactivate,
    ReleaseSeat,
    Resume,
    UndoCancel,
)
from .holders import Holders
from .periods import boundary, number_at
from .sold import Sold
from .terms import RUNNING, Terms


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
class Account(Bills):
    """A subscription and its changes; `refused` are the operations that could not be done."""

    on_end: Callable[[Account, datetime], None]
    refused: list[Operation] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    count: int = 0
    holders: Holders = field(default_factory=Holders)

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
            case AssignSeat():
                held = self.history.now
                if held.status not in RUNNING or not self.holders.assign(
                    one.user, held.held, one.at
                ):
                    self.refused.append(one)
            case ReleaseSeat():
                self.holders.release(one.at, one.user)
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
        if self._takes_seats_in_use(one, at):
            self.refused.append(one)
            return
        if at <= one.at:
            self._carry_out(one, one.at, one.at)
            return
        if isinstance(one, Cancel):
            self.planned = [each for each in self.planned if not _ends(each)]
            self.history.append(one.at, ends_at=at)
        self.plan(at, one)

    def plan(self, due: datetime, change: Change | None) -> None:
        """Keeps a change for its time."""
        self.planned.append(
            Planned(due=due, number=self.count, change=change, plan=self.history.now.plan)
        )
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
            case OverridePrice():
                same_plan = self.history.now.plan.product is one.price.product
                return status in RUNNING and same_plan
            case _:
                return status in RUNNING

    def _takes_seats_in_use(self, one: Change, at: datetime) -> bool:
        """Whether fewer seats would remain than were used in the period of an instant (SEAT-4)."""
        held = self.history.now
        if not isinstance(one, ChangeSeats) or one.seats >= held.seats:
            return False
        [part] = [part for part in held.plan.parts if part.kind == "seats"]
        number = number_at(held.anchor, self.zone, part.every, at)
        since = boundary(held.anchor, self.zone, part.every, number)
        return self.holders.in_use(since) > one.seats

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
        if one is not None and self._takes_seats_in_use(one, at):
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
                self.history.append(at, plan=parent, seats=seats, anchor=at, status=status, **flags)
            case ChangePlan():
                if one.plan is before.plan:
                    return
                new: dict[str, object] = {"plan": one.plan, "seats": _carried(before, one.plan)}
                if before.status == "trialing":
                    new |= {"anchor": at, "status": "active"}
                self.planned = [each for each in self.planned if each.change is not None]
                self.history.append(at, **new, **flags)
            case OverridePrice():
                if one.price is before.plan:
                    return
                seats = _carried(before, one.price)
                self.history.append(at, plan=one.price, seats=seats, **flags)
            case ChangeSeats():
                if one.seats == before.seats:
                    return
                self.history.append(at, seats=one.seats, **flags)
            case Pause():
                self.history.append(at, status="paused", **flags)
                if one.resume_at is not None:
                    self.plan(max(one.resume_at, at), Resume(at=at, subscription=one.subscription))
            case Resume():
                self.planned = [
                    each for each in self.planned if not isinstance(each.change, Resume)
                ]
                tried = next(
                    each.status
                    for each in reversed(self.history.versions)
                    if each.status != "paused"
                )
                self.history.append(at, status=tried, **flags)
            case Cancel():
                self.planned.clear()
                self.holders.release(at)
                self.history.append(at, status="canceled", ends_at=None, **flags)
            case Reactivate():
                self.history.append(at, status="active", anchor=at, ends_at=None, **flags)
        if self.history.now.at_once or self.history.now.status == "canceled":
            # What is due at an instant waits for all changes that are planned for it.
            waits = any(each.due <= now for each in self.planned)
            self.bill(now, asked=True, waits_for_changes=waits)
        if self.history.now.status == "canceled":
            self.on_end(self, now)

    def _at_once(self, one: Change) -> bool:
        if one.proration is None and isinstance(one, ChangeSeats):
            return any(part.bill_immediately for part in self.history.now.plan.parts)
        return one.proration == "invoice now"


def _ends(one: Planned) -> bool:
    return isinstance(one.change, Cancel)


def _carried(before: Terms, plan: Sold) -> int:
    """As many seats as before, of who had some; and what must be held at least."""
    least = max((part.minimum_seats for part in plan.parts if part.kind == "seats"), default=0)
    return max(before.seats, least) if before.plan.has_seats else max(1, least)
