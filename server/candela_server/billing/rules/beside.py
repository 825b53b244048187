"""What was billed of a price's period beside what is rated: an amount off is taken from all of it together (DSL-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from candela_server.billing.model import InvoiceLine
from candela_server.catalog.price import Discount, PercentOff
from candela_server.kernel.money import exact, rounded_fraction

from .commitment import is_joined
from .discount import applies

_HUNDRED = 100
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The other lines of a price's period of one number."""

    currency: str
    number: int
    lines: Sequence[InvoiceLine]

    def taken(self, position: int) -> Decimal:
        """What the price's amount off at this position has taken from them already."""
        return sum(
            (
                discount.amount
                for line in self.lines
                for discount in line.discounts
                if discount.of_price and discount.position == position
            ),
            _ZERO,
        )

    def room(self, later: Sequence[Discount]) -> Decimal:
        """How much more an amount off can take from them, when these discounts of the price come after it.

        What was taken up within a period has no part in its price's amounts off.
        """
        with exact():
            room = sum((line.amount for line in self.lines if not is_joined(line)), _ZERO)
        share = Fraction(1)
        for one in later:
            if isinstance(one.off, PercentOff) and applies(one, self.number):
                share *= 1 - Fraction(one.off.percent) / _HUNDRED
        if not share:
            return _ZERO
        return rounded_fraction(self.currency, Fraction(room) / share).amount
