"""What a quantity of a component costs: free units, model, minimum, maximum (DSL-3); rounded once (INV-8)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from .sold import Part, Sold, decimal


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
    return rounded(plan, _net(part, number, rated(part, quantity)))


def _net(part: Part, number: int, cost: Fraction) -> Fraction:
    if part.percent_off is not None and number < (part.off_periods or 0):
        cost -= cost * Fraction(decimal(part.percent_off)) / 100
    return cost


def rated(part: Part, quantity: Decimal, share: Fraction = Fraction(1)) -> Fraction:
    """What so much of it costs; `share` is how much of a period it was held for, which cuts minimum and maximum."""
    charged = max(Decimal(0), quantity - decimal(part.free_units))
    cost = _MODELS[part.model](Fraction(charged), part)
    if part.minimum is not None:
        cost = max(cost, Fraction(decimal(part.minimum)) * share)
    if part.maximum is not None:
        cost = min(cost, Fraction(decimal(part.maximum)) * share)
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
