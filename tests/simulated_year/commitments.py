"""What a price costs at least for the days on which it is held (DSL-10).

A commitment is prorated as a fee is: by the calendar days of its period on which its plan is held and billed. What is
missing to it is settled when the plan is held no more, else when the period is over, once all that counts for it is
billed: on the next invoice, as a difference to what was billed of it. What counts are the plan's own charges before
credits: what is charged in advance where its period starts, or where it was taken up within it; what is charged in
arrears just before its end. What is void counts until something takes its place: nobody asks for it in another way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from .charges import Charge, begun
from .lines import Line, total
from .periods import boundary, number_at
from .rates import rounded
from .sold import Part, decimal
from .terms import History, Terms

_PART = Part(
    name="Commitment",
    kind="commitment",
    every="month",
    arrears=True,
    model="flat",
    terms=(),
)
_ZERO = Decimal(0)


def commitments(history: History, now: datetime) -> list[Charge]:
    """The periods of commitments that were in force for some time by now, oldest first."""
    found: dict[Charge, None] = {}
    for stretch in history.stretches():
        if stretch.plan.commitment is None:
            continue
        until = now if stretch.end is None else min(stretch.end, now)
        number = number_at(stretch.anchor, history.zone, _PART.every, stretch.start)
        while (start := boundary(stretch.anchor, history.zone, _PART.every, number)) < until:
            end = boundary(stretch.anchor, history.zone, _PART.every, number + 1)
            one = Charge(
                plan=stretch.plan,
                part=_PART,
                anchor=stretch.anchor,
                number=number,
                start=start,
                end=end,
                due=end,
            )
            found[one] = None
            number += 1
    return sorted(found, key=lambda one: (one.start, one.plan.slug))


def least(history: History, one: Charge) -> Decimal:
    """What the days cost at least on which it is in force."""
    assert one.plan.commitment is not None
    days = list(history.held_days(one.plan, one.part, one.anchor, one.start, one.end))
    held = sum(day is not None for day in days)
    return rounded(one.plan, Fraction(decimal(one.plan.commitment)) * Fraction(held, len(days)))


def is_cut(history: History, one: Charge) -> bool:
    """Whether it was in force on some of the days only."""
    return None in history.held_days(one.plan, one.part, one.anchor, one.start, one.end)


def is_changed(history: History, one: Charge) -> bool:
    """Whether what is held, or how much of it, changed within its period or as that ended."""
    return any(
        one.start < later.since <= one.end and _held(before) != _held(later)
        for before, later in pairwise(history.versions)
    )


def _held(terms: Terms) -> tuple[object, ...]:
    return terms.plan if terms.billed else None, terms.anchor, terms.held


def counted(one: Charge, lines: Sequence[Line]) -> Decimal:
    """What lines come to that count for it, less what credit notes gave back of them after the end."""
    return sum(
        (
            line.amount - line.returned
            for line in lines
            if not line.is_ahead and counts(one, line.charge)
        ),
        _ZERO,
    )


def counts(one: Charge, charge: Charge) -> bool:
    """Whether a charge falls into a commitment's period."""
    if charge.is_commitment or (charge.plan, charge.anchor) != (one.plan, one.anchor):
        return False
    if charge.part.arrears:
        return one.start < charge.end <= one.end
    return one.start <= (charge.due if charge.rides else charge.start) < one.end


def is_over(history: History, one: Charge, waiting: Collection[Charge], now: datetime) -> bool:
    """Whether what is missing is asked for by now, where these charges wait to be billed."""
    if one.end > now and history.now.holds(one.plan, one.anchor):
        return False
    return not any(counts(one, each) for each in waiting)


def missing(
    history: History,
    lines: Sequence[Line],
    others: Sequence[Line],
    billed: Collection[Charge],
    now: datetime,
) -> list[Line]:
    """What each commitment still asks for, or gives back, on an invoice with these lines; others are on others."""
    periods = commitments(history, now)
    if not periods:
        return []
    known = [*others, *lines]
    waiting = [one for one in begun(history, now) if one not in billed and not one.rides]
    found = []
    for one in periods:
        if is_over(history, one, waiting, now):
            made_up = total([line for line in known if line.charge == one])
            wanted = max(least(history, one) - counted(one, known), _ZERO)
            found.append(Line(charge=one, amount=wanted - made_up, is_change=True))
    return [one for one in found if one.amount]


def above_least(history: History, known: Sequence[Line], now: datetime) -> dict[Charge, Decimal]:
    """By how much what was billed for each commitment's days, and not given back, is more than these cost at least."""
    found = {}
    for one in commitments(history, now):
        asked = counted(one, known) + total([line for line in known if line.charge == one])
        found[one] = max(asked - least(history, one), _ZERO)
    return found
