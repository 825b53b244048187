"""What a subscription owes, charge by charge, by all that is known at an instant (SEAT-1, DSL-3, DSL-7, EVT-9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from .assortment import PRICES
from .happening import Use
from .periods import boundary, day_of, number_at
from .rates import bounds_of, held_cost, rated, rounded
from .sold import Part, Sold
from .terms import History, Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A period of something held, or a span of usage; `due` is when it is billed first.

    `rides` is whether it waits for an invoice that is made for something else: what began in the middle of its period.
    """

    plan: Sold
    part: Part
    anchor: datetime
    number: int
    start: datetime
    end: datetime
    due: datetime = field(compare=False)
    rides: bool = field(default=False, compare=False)

    @property
    def key(self) -> tuple[object, ...]:
        """Which period or span it is, whatever change moves its end."""
        return self.plan.slug, self.part.name, self.anchor, self.number, self.start

    @property
    def is_usage(self) -> bool:
        """Whether it is billed by what was used."""
        return self.part.kind == "usage"

    @property
    def is_commitment(self) -> bool:
        """Whether it is what is missing to a commitment, in one of its periods."""
        return self.part.kind == "commitment"


def charges(history: History, until: datetime) -> list[Charge]:
    """All charges of a subscription that are due by an instant."""
    return [one for one in begun(history, until) if one.due <= until]


def running(history: History, now: datetime) -> list[Charge]:
    """The spans of usage that have begun and are not due yet, in order of time."""
    found = [one for one in begun(history, now) if one.is_usage and one.start < now < one.due]
    return sorted(found, key=lambda one: (one.start, place(one)))


def begun(history: History, until: datetime) -> list[Charge]:
    """All that began by an instant, whether it is due or not."""
    found: dict[tuple[object, ...], Charge] = {}
    for stretch in history.stretches():
        for part in stretch.plan.parts:
            make = _spans if part.kind == "usage" else _periods
            for one in make(history, stretch, part, until):
                key = (part.name, stretch.plan.slug, one.anchor, one.number)
                if one.is_usage:
                    key = (*key, one.start)
                # Held twice in one period is one charge, by its days.
                before = found.get(key)
                if before is None or one.due < before.due:
                    found[key] = one
    return list(found.values())


def _periods(history: History, stretch: Stretch, part: Part, until: datetime) -> Iterator[Charge]:
    zone, anchor = history.zone, stretch.anchor
    number = number_at(anchor, zone, part.every, max(stretch.start, anchor))
    # What was taken and left at one instant costs nothing, but in arrears it is on an invoice.
    if stretch.start == stretch.end and not part.arrears:
        return
    while True:
        start = boundary(anchor, zone, part.every, number)
        end = boundary(anchor, zone, part.every, number + 1)
        if start > until or (stretch.end is not None and start >= stretch.end):
            return
        due, rides = start, False
        if part.arrears:
            due = end
            ended = stretch.end is not None and stretch.end < end
            if ended and stretch.ended_by is not None and stretch.ended_by.status == "canceled":
                assert stretch.end is not None
                due = stretch.end
        elif start < stretch.start:
            due, rides = stretch.start, True
        yield Charge(
            plan=stretch.plan,
            part=part,
            anchor=anchor,
            number=number,
            start=start,
            end=end,
            due=due,
            rides=rides,
        )
        number += 1


def _spans(history: History, stretch: Stretch, part: Part, until: datetime) -> Iterator[Charge]:
    """Usage is cut at the instant of a change; the rest of a period that a change cut off is billed with whatever is
    due next, or at once where that was asked for or nothing else will be due."""
    zone, anchor = history.zone, stretch.anchor
    number = number_at(anchor, zone, part.every, max(stretch.start, anchor))
    while True:
        start = max(boundary(anchor, zone, part.every, number), stretch.start)
        end = due = boundary(anchor, zone, part.every, number + 1)
        if start > until or (stretch.end is not None and start >= stretch.end):
            return
        if stretch.end is not None and stretch.end < end:
            assert stretch.ended_by is not None
            end = due = stretch.end
            if stretch.ended_by.billed and not stretch.ended_by.at_once:
                upto = [one for one in history.versions if one.since <= end]
                due = History(zone, upto).next_due(end) or end
        yield Charge(
            plan=stretch.plan,
            part=part,
            anchor=anchor,
            number=number,
            start=start,
            end=end,
            due=due,
        )
        number += 1


def place(one: Charge) -> tuple[int, int]:
    """Where its part comes among all that is sold."""
    return PRICES.index(one.plan), one.plan.parts.index(one.part)


def owed_for_held(history: History, one: Charge) -> Decimal:
    """What a period costs by its days: each costs its share of what a whole period of that would cost."""
    held = list(history.held_days(one.plan, one.part, one.anchor, one.start, one.end))
    if not held:
        return Decimal(0)
    total = Fraction(0)
    for seats in held:
        if seats is not None:
            total += Fraction(held_cost(one.plan, one.part, one.number, seats)) / len(held)
    return rounded(one.plan, total)


def used(uses: list[Use], one: Charge, known_at: datetime) -> list[Use]:
    """The usage of a span that was reported before an instant."""
    # What is reported at the very instant comes after what falls due then.
    return [
        use
        for use in uses
        if use.plan is one.plan.product
        and one.start <= use.happened_at < one.end
        and use.at < known_at
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the parts of a period before it came to: units that no credit paid for, and days."""

    quantity: Decimal = Decimal(0)
    days: int = 0


def days_in(history: History, one: Charge) -> int:
    """How many calendar days a span has; the one on which it ends is none of them."""
    return (day_of(one.end, history.zone) - day_of(one.start, history.zone)).days


def usage_cost(history: History, one: Charge, charged: Decimal, earlier: Earlier) -> Decimal:
    """What usage costs after credits: tiers, free units and bounds are those of the period, the latter by its days.

    So a part of it costs what all parts come to until then, less what those before it came to.
    """
    zone, every = history.zone, one.part.every
    start = boundary(one.anchor, zone, every, one.number)
    end = boundary(one.anchor, zone, every, one.number + 1)
    whole = (day_of(end, zone) - day_of(start, zone)).days
    digits = one.plan.minor_digits
    quantity = Fraction(earlier.quantity)
    days = earlier.days + days_in(history, one)
    now = rated(one.part, quantity + Fraction(charged), bounds_of(one.part, days, whole, digits))
    before = Fraction(0)
    if earlier.quantity or earlier.days:
        before = rated(one.part, quantity, bounds_of(one.part, earlier.days, whole, digits))
    return rounded(one.plan, now - min(before, now))
