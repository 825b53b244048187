"""What a quantity of a component costs: free units, model, minimum, maximum (DSL-3); rounded once (INV-8)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from .sold import Part, Sold, decimal

Bounds = tuple[Decimal | None, Decimal | None]
"""What it costs at least and at most."""


def rounded(plan: Sold, amount: Fraction) -> Decimal:
    """Half up, to the currency's minor unit."""
    return half_up(amount, plan.minor_digits)


def half_up(amount: Fraction | Decimal, digits: int) -> Decimal:
    """Half up, away from zero below it."""
    scaled = abs(Fraction(amount)) * 10**digits
    whole = Decimal(int(scaled + Fraction(1, 2))).scaleb(-digits)
    return whole if amount >= 0 else -whole


def held_cost(plan: Sold, part: Part, number: int, seats: int) -> Decimal:
    """What a whole period of something held costs, net of its discount."""
    quantity = Decimal(1)
    if part.kind == "seats":
        quantity = Decimal(max(0, max(seats, part.minimum_seats) - part.included_seats))
    return rounded(plan, _net(part, number, rated(part, Fraction(quantity))))


def _net(part: Part, number: int, cost: Fraction) -> Fraction:
    if part.percent_off is not None and number < (part.off_periods or 0):
        cost -= cost * Fraction(decimal(part.percent_off)) / 100
    return cost


def rated(part: Part, quantity: Fraction, bounds: Bounds | None = None) -> Fraction:
    """What so much of it costs, within what it costs at least and at most."""
    charged = max(Fraction(0), quantity - Fraction(decimal(part.free_units)))
    cost = _MODELS[part.model](charged, part)
    least, most = bounds or bounds_of(part)
    cost = cost if least is None else max(cost, Fraction(least))
    return cost if most is None else min(cost, Fraction(most))


def bounds_of(part: Part, days: int = 1, whole_days: int = 1, digits: int | None = None) -> Bounds:
    """Minimum and maximum for so many days of a period; the latter for one at least, as else usage would be free."""

    def cut(bound: str | None, days: int) -> Decimal | None:
        if bound is None or digits is None or days == whole_days:
            return None if bound is None else decimal(bound)
        return half_up(Fraction(decimal(bound)) * Fraction(days, whole_days), digits)

    return cut(part.minimum, days), cut(part.maximum, max(days, 1))


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
