"""What a subscription owes for its days, summed up without the code that bills them (SEAT-1, SUB-6).

By the versions alone: each day costs what was held on it last, a share of what its period comes to; each period of each
component is rounded once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from candela_server.subscription.model import Status, Subscription

_HELD = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What a plan's one component costs a period: an amount for each unit held, less a percentage, less an amount.

    `months` is how long a period is; 0 is a calendar month, of which the first may be short.
    """

    amount: str
    months: int = 1
    percent_off: int = 0
    amount_off: str = "0"
    seats: bool = False

    def cost(self, held: Decimal, days: int, whole_days: int) -> Fraction:
        """What so much held for a period of `days` comes to, net of discounts."""
        gross = cents(Fraction(self.amount) * Fraction(held) * Fraction(days, whole_days))
        percent = gross * Fraction(100 - self.percent_off, 100)
        return cents(max(percent - Fraction(self.amount_off), Fraction(0)))


def cents(exactly: Fraction) -> Fraction:
    """Rounded half up to the cent."""
    return Fraction(int(exactly * 100 + Fraction(1, 2)), 100)


def owed(history: Sequence[Subscription], plans: dict[str, Sold], *, until: date) -> Decimal:
    """What the days of a history come to that has ended by `until`; `plans` are named by plan id."""
    anchor = history[0].anchor_at.date()
    shares: defaultdict[tuple[str, date], Fraction] = defaultdict(Fraction)
    for day in _days(anchor, until):
        held = _held_on(history, day)
        if held is None:
            continue
        plan_id, quantity = held
        sold = plans[plan_id]
        begins, ends, whole_begins = period_of(anchor, sold.months, day)
        days = (ends - begins).days
        cost = sold.cost(quantity if sold.seats else Decimal(1), days, (ends - whole_begins).days)
        shares[plan_id, begins] += cost / days
    total = sum((cents(share) for share in shares.values()), Fraction(0))
    return Decimal(total.numerator) / Decimal(total.denominator)


def period_of(anchor: date, months: int, day: date) -> tuple[date, date, date]:
    """When the period of a day begins and ends, and when it would have begun had it not been short.

    For anchors that every month has.
    """
    if months == 0:
        whole = day.replace(day=1)
        return max(whole, anchor), _later(whole, 1), whole
    begins = anchor
    while _later(begins, months) <= day:
        begins = _later(begins, months)
    return begins, _later(begins, months), begins


def _later(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return day.replace(year=count // 12, month=count % 12 + 1)


def _days(first: date, end: date) -> Iterator[date]:
    while first < end:
        yield first
        first += timedelta(days=1)


def _held_on(history: Sequence[Subscription], day: date) -> tuple[str, Decimal] | None:
    """The plan and the seats of the last version of a day; None when nothing was held."""
    last = [one.version for one in history if one.version.valid_from.date() <= day][-1]
    if last.status not in _HELD:
        return None
    return last.plan_id, sum(last.quantities.values(), Decimal(0))
