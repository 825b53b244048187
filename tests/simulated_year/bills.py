"""What the invoices of one subscription bill.

An invoice brings what was billed to what is owed for everything that is due by then, as far as it can: its total is
never negative, and what it cannot give back a later one does (EVT-9, SEAT-1). Amounts are fractions; each charge is
rounded once, half up (INV-8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from .ahead import ahead_of, still_taken_off, taken_off
from .charges import Charge, begun, charges, place, running
from .commitments import is_changed, missing
from .costs import Costs
from .expected import GRACE, Expected
from .lines import Line, bear, total
from .sold import decimal


@dataclass(slots=True, kw_only=True)
class Bills(Costs):
    """A subscription's invoices, and all that they follow from."""

    on_draft: Callable[[Expected], None]
    invoices: list[Expected] = field(default_factory=list)
    closed: set[Charge] = field(default_factory=set)
    """What is on invoices."""
    hidden: set[Charge] = field(default_factory=set)
    """What was on invoices that are void."""
    on_drafts: set[Charge] = field(default_factory=set)
    """What is on drafts."""

    def bill(self, now: datetime, *, asked: bool = False, waits_for_changes: bool = False) -> None:
        """An invoice, if something is due; or, where one is asked for, if something is to be paid."""
        fresh = [one for one in self._due(now) if one not in self.closed and not one.rides]
        if waits_for_changes:
            fresh = []
        if fresh or (asked and self._asks(now)):
            self.draft(fresh, now, waits=any(one.is_usage for one in fresh))

    def _asks(self, now: datetime) -> bool:
        """Whether differences alone make an invoice; charges that only fill a commitment which a change cut do, too."""
        changes = self._changes([], now)
        borne, _ = self._borne([], changes, now)
        corrected = [
            one
            for one in borne
            if one.charge.is_commitment and not is_changed(self.history, one.charge)
        ]
        return max(total(bear([], [*changes, *corrected])), total(borne)) > 0

    def draft(self, fresh: list[Charge], now: datetime, *, waits: bool) -> Expected:
        """An invoice of these charges, and of the difference that others make; adjustments stay as they are made."""
        held = self.history.now
        fresh = sorted(
            fresh, key=lambda one: (held.holds(one.plan, one.anchor), one.start, place(one))
        )
        billed = [
            Line(charge=one, amount=self.cost(one, known_at=now))
            # Spans of one period draw on the same credits, the earliest first.
            for one in sorted(fresh, key=lambda one: one.start)
        ]
        billed.sort(key=lambda line: fresh.index(line.charge))
        borne, leaves_usage = self._borne(billed, self._changes(fresh, now), now)
        lines = [*billed, *borne]
        made = Expected(
            account=self,
            made_at=now,
            finalizes_at=now + GRACE if waits else now,
            fresh=fresh,
            lines=[*lines, *taken_off(lines, ahead_of(self.invoices), fresh)],
            cut=any(not one.is_usage and self._is_cut(one) for one in fresh),
            leaves_usage=leaves_usage,
        )
        self.closed.update(fresh)
        self.on_drafts.update(fresh)
        self.invoices.append(made)
        self.on_draft(made)
        return made

    def _borne(
        self,
        billed: Sequence[Line],
        changes: Sequence[Line],
        now: datetime,
        instead_of: Expected | None = None,
        decided: Collection[Charge] = (),
    ) -> tuple[list[Line], bool]:
        """What changed, as far as the invoice bears it, and what is missing to commitments with all that billed; and
        whether it leaves some of the usage that is given back.

        What is missing bears what is given back, and giving back can make more missing. Of the `decided` nothing is
        asked anew.
        """
        others = [
            line
            for one in self.invoices
            if one is not instead_of
            for line in (one.lines if one.status != "void" else one.forgiven)
        ]
        closed = self.closed | {line.charge for line in billed}
        to_come, before = Decimal(0), None
        while to_come != before:
            before = to_come
            kept = [*billed, *bear(billed, changes, to_come=to_come)]
            wanted = missing(self.history, kept, others, closed, now)
            made_up = bear(kept, [one for one in wanted if one.charge not in decided])
            to_come = sum((max(one.amount, Decimal(0)) for one in made_up), Decimal(0))
        borne = kept[len(billed) :]
        leaves_usage = any(
            one.charge.is_usage and one.amount > wanted.amount
            for one, wanted in zip(borne, changes, strict=True)
        )
        return [*borne, *made_up], leaves_usage

    def waits_for_something_of(self, before: datetime, now: datetime) -> bool:
        """Whether something that began before an instant is on a draft or will be billed."""
        begun_before = [one for one in begun(self.history, now) if one.start < before]
        return any(
            one in self.on_drafts or not (one in self.closed or one in self.hidden or one.rides)
            for one in begun_before
        )

    def _is_cut(self, one: Charge) -> bool:
        held = self.history.held_days(one.plan, one.part, one.anchor, one.start, one.end)
        return len(set(held)) > 1

    def rate_again(self, made: Expected, now: datetime) -> None:
        """What a draft bills as it is finalized: usage with what was reported in its grace, the rest as it was made.

        What is missing to commitments is found anew, but where another invoice has asked for it and no change cut the
        period: then it is a correction, and stays as the draft could bear it.
        """
        for one in made.fresh:
            self.drawn.pop(one, None)
        corrected = {
            line.charge
            for other in self.invoices
            if other is not made and other.status != "void"
            for line in other.lines
            if line.charge.is_commitment and not is_changed(self.history, line.charge)
        }
        billed = [line for line in made.lines if not (line.is_change or line.is_ahead)]
        following = [
            line
            for line in made.lines
            if (line.is_change or line.is_ahead)
            and (line.charge in corrected or not line.charge.is_commitment)
        ]
        for line in sorted(billed, key=lambda line: line.charge.start):
            if line.charge.is_usage:
                line.amount = self.cost(line.charge, known_at=now)
        following = still_taken_off(billed, following)
        borne, leaves_usage = self._borne(billed, following, now, made, corrected)
        made.lines = [*billed, *borne]
        made.leaves_usage |= leaves_usage
        self.on_drafts.difference_update(made.fresh)
        for line in billed:
            if line.charge.is_usage and line.charge.plan.rollover_cap is not None:
                self.carry_over(line.charge, decimal(line.charge.plan.rollover_cap))

    def so_far(self, now: datetime, known_at: datetime) -> list[Line]:
        """What the spans that run come to; their credits are drawn when they are billed."""
        found = []
        for one in running(self.history, now):
            cost = self.cost(replace(one, part=replace(one.part, minimum=None)), known_at=known_at)
            found.append(Line(charge=one, amount=cost, is_ahead=True))
        for line in found:
            self.drawn = {
                one: draws for one, draws in self.drawn.items() if one.key != line.charge.key
            }
        return found

    def take_back(self, made: Expected) -> None:
        """What a void invoice billed is billed no more; its charges wait for a reissue."""
        self.hidden.update(made.fresh)
        for one in made.fresh:
            self.drawn.pop(one, None)

    def _due(self, now: datetime) -> list[Charge]:
        return [one for one in charges(self.history, now) if one not in self.hidden]

    def billed(self) -> dict[Charge, Decimal]:
        """What is on invoices of each charge, less what came back of it after the end; void ones bill nothing."""
        found: dict[Charge, Decimal] = {}
        for made in self.invoices:
            if made.status != "void":
                for line in made.lines:
                    if line.is_ahead or line.charge.is_commitment:
                        continue
                    before = found.get(line.charge, Decimal(0))
                    found[line.charge] = before + line.amount - line.returned
        return found

    def differences(self, now: datetime) -> list[Line]:
        """What each charge that is not usage still costs or gives back."""
        return self._changes([], now, with_usage=False)

    def usage_differences(self, now: datetime) -> list[Line]:
        """The same of usage."""
        return [one for one in self._changes([], now) if one.charge.is_usage]

    def _changes(
        self, fresh: list[Charge], now: datetime, *, with_usage: bool = True
    ) -> list[Line]:
        """What was billed before and costs something else now, and what rides along: days first, then usage."""
        billed = self.billed()
        due = self._due(now)
        # What was left at the very instant at which it had been billed is owed no more.
        gone = [one for one in billed if not (one.is_usage or one in due or one in self.hidden)]
        found = []
        for one in sorted([*due, *gone], key=_in_order):
            if one in fresh or not (one in self.closed or one.rides):
                continue
            if one.is_usage and (one in self.on_drafts or not with_usage):
                continue
            difference = self.cost(one, known_at=now) - billed.get(one, Decimal(0))
            found.append(Line(charge=one, amount=difference, is_change=True))
        return [one for one in found if one.amount]


def _in_order(one: Charge) -> tuple[object, ...]:
    """Days before usage, by periods."""
    return one.is_usage, one.start, place(one)
