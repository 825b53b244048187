"""What the year must cost, computed slowly from the specification; nothing of the server is imported here.

A subscription's invoices are found by walking over the instants at which anything falls due. At each: fixed amounts and
seats of the periods that begin or end there, usage of the period that ends there, and the difference that later reports
make to periods that were closed before (EVT-9). Amounts are fractions; each charge is rounded once, half up (INV-8).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from .lifecycle import Life, Subscribe, Use
from .sold import Part, decimal

GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An invoice: when it is made, and its total."""

    made_at: datetime
    total: Decimal


def invoices_of(life: Life, until: datetime) -> dict[str, list[Expected]]:
    """The invoices of each of a customer's subscriptions that are made by an instant."""
    found = {}
    for begun in life.operations:
        if isinstance(begun, Subscribe):
            uses = [
                one
                for one in life.operations
                if isinstance(one, Use) and one.subscription == begun.subscription
            ]
            found[begun.subscription] = _Account(begun, life.time_zone, uses, until).invoices()
    return found


class _Account:
    """One subscription."""

    def __init__(self, begun: Subscribe, zone: str, uses: list[Use], until: datetime) -> None:
        self.begun, self.plan, self.uses, self.until = begun, begun.plan, uses, until
        self.zone = ZoneInfo(zone)

    def invoices(self) -> list[Expected]:
        due: dict[datetime, list[tuple[Part, int]]] = {}
        for part in self.plan.parts:
            number = 0
            while (at := self.due_at(part, number)) <= self.until:
                due.setdefault(at, []).append((part, number))
                number += 1
        made: list[Expected] = []
        # Closed usage periods: number → when its invoice was finalized; and what was billed of all of them.
        closed: dict[int, datetime] = {}
        billed = Decimal(0)
        for at in sorted(due):
            # What is due before the subscription was known is billed when it became known.
            now = max(at, self.begun.at)
            total = Decimal(0)
            closing: list[int] = []
            for part, number in due[at]:
                if part.kind == "usage":
                    closing.append(number)
                    total += self.closed_cost(part, number, known_at=now + GRACE)
                else:
                    total += self.held_cost(part, number)
            usage = self.plan.usage
            before = [n for n, finalized_at in closed.items() if finalized_at <= now]
            if usage is not None and before:
                owed = sum((self.closed_cost(usage, n, known_at=now) for n in before), Decimal(0))
                difference = owed - billed
                # What an invoice cannot give back, a later one does.
                difference = max(difference, -total)
                total += difference
                billed += difference
            for number in closing:
                assert usage is not None
                closed[number] = now + GRACE
                billed += self.closed_cost(usage, number, known_at=now + GRACE)
            made.append(Expected(made_at=now, total=total))
        return made

    # Time

    def boundary(self, every: str, number: int) -> datetime:
        """Where period `number` begins: the anchor's wall time, on the anchor's day or the month's last."""
        local = self.begun.start_at.astimezone(self.zone)
        day = local.date()
        if every == "week":
            day += timedelta(days=7 * number)
        else:
            months = day.month - 1 + number * {"month": 1, "year": 12}[every]
            year, month = day.year + months // 12, months % 12 + 1
            day = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
        wall = datetime.combine(day, local.time().replace(fold=0))
        # In a gap, the offset before it moves the instant forward by the gap; of two, the first counts.
        return wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def due_at(self, part: Part, number: int) -> datetime:
        return self.boundary(part.every, number + 1 if part.arrears else number)

    # Money

    def held_cost(self, part: Part, number: int) -> Decimal:
        quantity = Decimal(1)
        if part.kind == "seats":
            held = max(self.begun.seats, part.minimum_seats)
            quantity = Decimal(max(0, held - part.included_seats))
        cost = _rated(part, quantity)
        if part.percent_off is not None and number < (part.off_periods or 0):
            cost -= cost * Fraction(decimal(part.percent_off)) / 100
        return self.rounded(cost)

    def usage_cost(self, part: Part, number: int, *, known_at: datetime) -> Decimal:
        # What is reported at the very instant comes after what falls due then.
        start, end = self.boundary(part.every, number), self.boundary(part.every, number + 1)
        used = sum(
            (
                one.amount
                for one in self.uses
                if start <= one.happened_at < end and one.at < known_at
            ),
            Decimal(0),
        )
        return self.rounded(_rated(part, max(Decimal(0), used - self.included())))

    def included(self) -> Decimal:
        """What credits cover of each period; the rest of them does not live on."""
        amount = decimal(self.plan.credits or 0)
        return amount * self.begun.seats if self.plan.credits_per_seat else amount

    def closed_cost(self, part: Part, number: int, *, known_at: datetime) -> Decimal:
        """What usage of a period costs, with what is missing to the commitment then (DSL-10): less of the one for more
        of the other. Commitments here have the usage's periods."""
        used = self.usage_cost(part, number, known_at=known_at)
        if self.plan.commitment is None:
            return used
        held = sum(
            (self.held_cost(one, number) for one in self.plan.parts if one.kind != "usage"),
            Decimal(0),
        )
        return used + max(Decimal(0), decimal(self.plan.commitment) - held - used)

    def rounded(self, cost: Fraction) -> Decimal:
        scaled = cost * 10**self.plan.minor_digits
        # Half up; nothing here is negative.
        whole = int(scaled + Fraction(1, 2))
        return Decimal(whole).scaleb(-self.plan.minor_digits)


def _rated(part: Part, quantity: Decimal) -> Fraction:
    """Free units off, then the model, then the minimum and the maximum (DSL-3)."""
    charged = max(Decimal(0), quantity - decimal(part.free_units))
    cost = _MODELS[part.model](Fraction(charged), part)
    if part.minimum is not None:
        cost = max(cost, Fraction(decimal(part.minimum)))
    if part.maximum is not None:
        cost = min(cost, Fraction(decimal(part.maximum)))
    return cost


def _flat(quantity: Fraction, part: Part) -> Fraction:
    return quantity * Fraction(decimal(part.terms[0]))


def _graduated(quantity: Fraction, part: Part) -> Fraction:
    cost, floor = Fraction(0), Fraction(0)
    for up_to, unit_price, flat_fee in part.terms:  # type: ignore[misc]
        if quantity <= floor:
            break
        ceiling = quantity if up_to is None else min(quantity, Fraction(decimal(up_to)))
        cost += (ceiling - floor) * Fraction(decimal(unit_price)) + Fraction(decimal(flat_fee))
        floor = ceiling
    return cost


def _volume(quantity: Fraction, part: Part) -> Fraction:
    if not quantity:
        return Fraction(0)
    for up_to, unit_price, flat_fee in part.terms:  # type: ignore[misc]
        if up_to is None or quantity <= Fraction(decimal(up_to)):
            return quantity * Fraction(decimal(unit_price)) + Fraction(decimal(flat_fee))
    raise AssertionError("the last tier is open")


def _package(quantity: Fraction, part: Part) -> Fraction:
    size, price = (Fraction(decimal(term)) for term in part.terms)
    return -(-quantity // size) * price


def _percent(quantity: Fraction, part: Part) -> Fraction:
    return quantity * Fraction(decimal(part.terms[0])) / 100


_MODELS = {
    "flat": _flat,
    "graduated": _graduated,
    "volume": _volume,
    "package": _package,
    "percent": _percent,
}
