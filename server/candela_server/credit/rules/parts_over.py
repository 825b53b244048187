"""What grants have left now, where some of them began or ended to pay within a window (CRD-8, CRD-9, EVT-7).

A grant pays for usage of its own time only. So each instant at which one begins or ends cuts the window. Of the parts
that are over, each grant has paid for what it could, in the one order of drawing; what none of them could pay for stays
beyond, and takes nothing off a grant that began later. What the grants have left is there for the part that runs.

This is `draw_in_spans` of waterfall.py, as it will be when the period is over, seen from within. The window in which
usage is counted may be a part of the period: credits that renew each week have one of their own. A grant that was there
before it has paid for what the period used before it; so there are parts outside the window, too.

A pause of the subscription is a part as well, but no invoice bills it: what it used is counted nowhere (SUB-6).

Where the subscription left another plan, the invoice that will bill what that one used takes from credits first: such
waiting parts come before all others, and have payers of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from candela_server.credit.model import CreditGrant
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact

from .waterfall import cuts_of, in_order

_ZERO = Decimal(0)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class WaitingPart:
    """What was used in `part` waits to be billed by terms that ended, by which `payers` can pay for it."""

    part: Interval
    payers: Sequence[CreditGrant]

    def is_paid_by(self, grant: CreditGrant) -> bool:
        """Whether the grant can pay for all of it."""
        return grant.covers(self.part) and any(one.id == grant.id for one in self.payers)


@dataclass(frozen=True, slots=True)
class Payer:
    """What pays for usage of the parts from `first` to `last`, but for those `between` that it does not pay for.

    The part that runs is behind all that are over.
    """

    amount: Decimal
    first: int
    last: int
    between: tuple[int, ...] = ()

    def places(self, count: int) -> list[int]:
        """The places of those parts that it pays for, of so many that are over."""
        some = range(self.first, min(self.last + 1, count))
        return [place for place in some if place not in self.between]


@dataclass(frozen=True, slots=True)
class Spent:
    """Where a window stands after its parts that are over.

    `covered` is what was paid for of those inside it, `beyond` what was not: together what they used. `left` can pay
    for the part that runs.
    """

    covered: Decimal
    beyond: Decimal
    left: Decimal

    @property
    def limit(self) -> Decimal:
        """How much the window may have used in all before something else is not paid for."""
        with exact():
            return self.covered + self.beyond + self.left


@dataclass(frozen=True, slots=True)
class PartsOver:
    """The parts of a window that are over, and who pays for them and for the part that runs, in order of drawing.

    The first of them, as many as `outside` says, lie before the window. `pauses` are the places of those in which
    nothing was billed.
    """

    parts: tuple[Interval, ...]
    payers: tuple[Payer, ...]
    outside: int = 0
    pauses: tuple[int, ...] = ()

    def spent(self, used: Sequence[Decimal]) -> Spent:
        """What became of it, when the parts used so much, each in its place.

        What corrections took from one part is taken off what nobody paid for in the others, and beyond that adds to
        what is left: together the window draws no more than it measured.
        """
        used = [_ZERO if place in self.pauses else one for place, one in enumerate(used)]
        with exact():
            unpaid = [max(one, _ZERO) for one in used]
            left = _ZERO
            for payer in self.payers:
                has = payer.amount
                for place in payer.places(len(self.parts)):
                    part = min(unpaid[place], has)
                    unpaid[place] -= part
                    has -= part
                if payer.last == len(self.parts):
                    left += has
            inside = used[self.outside :]
            wanted = sum((max(one, _ZERO) for one in inside), _ZERO)
            taken_back = sum((max(-one, _ZERO) for one in inside), _ZERO)
            nobodys = sum(unpaid[self.outside :], _ZERO)
            covered = wanted - nobodys
            netted = min(nobodys, taken_back)
            return Spent(
                # What was taken back beyond that was paid for in vain.
                covered=covered - (taken_back - netted),
                beyond=nobodys - netted,
                left=left + (taken_back - netted),
            )

    def paused(self, used: Sequence[Decimal]) -> Decimal:
        """How much of what the window measured is counted nowhere, when the parts used so much, each in its place."""
        with exact():
            return sum((used[place] for place in self.pauses if place >= self.outside), _ZERO)


def parts_over(
    grants: Sequence[CreditGrant],
    window: Interval,
    now: datetime,
    *,
    since: datetime | None = None,
    first: Decimal = _ZERO,
    pauses: Sequence[Interval] = (),
    waiting: Sequence[WaitingPart] = (),
) -> PartsOver | None:
    """The parts of a window that are over at `now`; None where one part is all there is.

    `since` is from when usage is not drawn yet, if that is before the window. The `balance` of a grant is what it had
    then. `first` is what the window includes whatever its time, and what is used up before any credit. Nothing
    is billed in `pauses`, all of which are over. `waiting` are parts that were over before all others began.
    """
    if now < window.start_at:
        return None
    some = [grant for grant in grants if grant.balance > 0]
    start = window.start_at
    if since is not None and since < start and any(_reaches_back(one, start) for one in some):
        start = since
    until = now + _INSTANT
    cuts = set(cuts_of(some, Interval(start, until)))
    cuts |= {at for pause in pauses for at in (pause.start_at, pause.end_at) if start < at < until}
    if start < window.start_at:
        cuts.add(window.start_at)
    before = _cut_up(some, [one for one in waiting if one.part.end_at <= start])
    if not cuts and not before:
        return None
    later = (Interval(*pair) for pair in pairwise([start, *sorted(cuts)]))
    parts = (*(one.part for one in before), *later)
    outside = sum(1 for part in parts if part.end_at <= window.start_at)
    payers = [Payer(first, outside, len(parts))] if first > 0 else []
    own = {grant.id for grant in some}
    funds = {grant.id: grant for one in before for grant in one.payers} | {
        one.id: one for one in some
    }
    for grant in in_order(funds.values()):
        places = [place for place, one in enumerate(before) if one.is_paid_by(grant)]
        if grant.id in own:
            later_places = range(len(before), len(parts))
            places += [place for place in later_places if grant.covers(parts[place])]
            if grant.counts_at(now):
                places.append(len(parts))
        if places and grant.balance > 0:
            between = set(range(places[0], places[-1])).difference(places)
            payers.append(Payer(grant.balance, places[0], places[-1], tuple(sorted(between))))
    return PartsOver(
        parts,
        tuple(payers),
        outside,
        tuple(
            place
            for place, part in enumerate(parts)
            if any(pause.overlaps(part) for pause in pauses)
        ),
    )


def _cut_up(own: Sequence[CreditGrant], waiting: Sequence[WaitingPart]) -> list[WaitingPart]:
    """Waiting parts, oldest first, cut where credits begin or end in them; none where they take nothing from `own`."""
    ids = {grant.id for grant in own}
    if not any(grant.id in ids for one in waiting for grant in one.payers):
        return []
    return [
        WaitingPart(Interval(*pair), one.payers)
        for one in sorted(waiting, key=lambda one: one.part.start_at)
        for pair in pairwise([one.part.start_at, *cuts_of(one.payers, one.part), one.part.end_at])
    ]


def _reaches_back(grant: CreditGrant, start: datetime) -> bool:
    """Whether what it has from an instant on depends on what was used before."""
    lasts = grant.expires_at is None or start < grant.expires_at
    return grant.effective_at < start and lasts


def had(grant: CreditGrant, more: Decimal) -> CreditGrant:
    """The grant as it was when it had so much more."""
    if not more:
        return grant
    with exact():
        return replace(grant, balance=grant.balance + more)
