"""Lines of invoices: what an invoice can bear, and what of each line is left to be taken back (INV-6, INV-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from .charges import Charge

_ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """What an invoice bills of a charge: as it falls due, as a difference to what was billed of it before, or ahead.

    `noted` is what credit notes took back of it; `returned` what they, whichever lines bore it, gave back of what it
    billed after the subscription's end.
    """

    charge: Charge
    amount: Decimal
    is_change: bool = False
    is_ahead: bool = False
    """Whether it bills a span that runs still, or takes off what was billed so."""
    noted: Decimal = _ZERO
    returned: Decimal = _ZERO


def total(lines: Sequence[Line]) -> Decimal:
    """What they come to."""
    return sum((one.amount for one in lines), _ZERO)


def bear(
    billed: Sequence[Line], changes: Sequence[Line], *, to_come: Decimal = _ZERO
) -> list[Line]:
    """The differences as far as an invoice with these other lines bears them: its total is never negative.

    What asks for more helps to bear, and so does what is `to_come` besides; what is given back comes off in order,
    until nothing is left.
    """
    room = to_come + total(billed) + sum((max(one.amount, _ZERO) for one in changes), _ZERO)
    kept = []
    for one in changes:
        amount = one.amount
        if amount < 0:
            amount = max(amount, -room)
            room += amount
        kept.append(replace(one, amount=amount))
    return kept


def asked(lines: Sequence[Line], off: Sequence[tuple[Line | None, Decimal]] = ()) -> list[Decimal]:
    """What each line asks for after all that was taken off it.

    What is given back comes off the line that it belongs to, where that is here; else, as the rest of money off that
    pays for more than one line, off all in proportion.
    """
    left = [max(one.amount, _ZERO) for one in lines]
    unplaced = _ZERO
    given = [(_bearer(one, lines), -one.amount) for one in lines if one.amount < 0]
    given += [(None if of is None else lines.index(of), amount) for of, amount in off]
    for index, amount in given:
        taken = _ZERO if index is None else min(amount, left[index])
        if index is not None:
            left[index] -= taken
        unplaced += amount - taken
    for index, part in enumerate(_split(unplaced, left)):
        left[index] -= part
    return left


def _bearer(one: Line, lines: Sequence[Line]) -> int | None:
    for index, other in enumerate(lines):
        if other.charge.key == one.charge.key and other.amount > 0 and not other.is_change:
            return index
    return None


def _split(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """By largest remainder, in the smallest unit that is in use; of equal ones the first."""
    if not amount:
        return [_ZERO for _ in weights]
    digits = max(-int(one.as_tuple().exponent) for one in (amount, *weights))
    units, whole = amount.scaleb(digits), sum(weights, _ZERO)
    shares = [Fraction(units) * Fraction(one) / Fraction(whole) for one in weights]
    parts = [int(one) for one in shares]
    order = sorted(range(len(shares)), key=lambda index: (parts[index] - shares[index], index))
    for index in order[: int(units) - sum(parts)]:
        parts[index] += 1
    return [Decimal(one).scaleb(-digits) for one in parts]
