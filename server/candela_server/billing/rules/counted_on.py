"""What of an invoice's true-ups is counted on to bear what it gives back, before they are known (DSL-10, SUB-6).

What is missing to a commitment bears what is given back, and giving back makes more missing: an invoice is made again
until both agree. Each making of them gives back a little more than the one before, so that it could take very many;
therefore what would be missing if all were given back is tried as soon as the two climb. They agree there, or not far
below, or never: then nothing is counted on, and the next invoice gives back the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from candela_server.billing.model import InvoiceLine

_ZERO: Final = Decimal(0)
_CLIMBS: Final = 1
_ALL: Final = _CLIMBS
_DESCENTS: Final = 3

ATTEMPTS: Final = _ALL + 1 + _DESCENTS + 2
"""How often an invoice is made at most: counting on nothing, climbing, all, descending, and at last on nothing."""


def counted_next(
    attempt: int, counted: Sequence[Decimal], found: Sequence[Decimal], most: Sequence[Decimal]
) -> list[Decimal]:
    """Of each invoice, what the next making counts on; `found` is what this one, which counted on `counted`, asks for.

    `most` is all that each invoice would give back. Once nothing differs from `counted`, all agree.
    """
    return [
        asked if asked == before else _next(attempt, asked, all_of_it)
        for before, asked, all_of_it in zip(counted, found, most, strict=True)
    ]


def _next(attempt: int, asked: Decimal, most: Decimal) -> Decimal:
    if attempt == _ALL:
        return most
    return asked if attempt < ATTEMPTS - 2 else _ZERO


def given_back(lines: Sequence[InvoiceLine]) -> Decimal:
    """How much these lines would give back."""
    return -sum((min(line.amount, _ZERO) for line in lines), _ZERO)


def asked_for(true_ups: Sequence[InvoiceLine]) -> Decimal:
    """What of these lines is charged."""
    return sum((max(line.amount, _ZERO) for line in true_ups), _ZERO)
