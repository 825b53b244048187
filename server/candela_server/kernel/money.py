"""Money: exact decimal amounts of one currency (INV-8).

Everything is computed exactly and rounded once, by `Money.rounded`. Binary floating point never
enters: it is refused with TypeError, because 1000 times the float 0.1 is not 100.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from fractions import Fraction

from .currency import MINOR_DIGITS, minor_digits
from .precision import DIGITS

_TRAPS = [InvalidOperation, DivisionByZero, Overflow, FloatOperation]

_EXACT = Context(prec=DIGITS, traps=[*_TRAPS, Inexact])
_ROUNDING = Context(prec=DIGITS, rounding=ROUND_HALF_UP, traps=_TRAPS)

_PLAIN_DECIMAL = re.compile(r"-?[0-9]+(?:\.([0-9]+))?")


class CurrencyMismatch(ValueError):  # noqa: N818 - named as the fact it states
    """Amounts of different currencies met in one calculation."""

    def __init__(self, want: str, got: str) -> None:
        super().__init__(
            f"an amount in {got} met one in {want}; convert it first, Candela never does"
        )
        self.want = want
        self.got = got


def exact() -> AbstractContextManager[Context]:
    """A block in which a decimal operation that would lose a digit raises `decimal.Inexact`."""
    return localcontext(_EXACT)


def parse_decimal(text: str, *, max_places: int = 12, max_digits: int = 38) -> Decimal:
    """The number written as a plain decimal: an optional minus, digits, a point and more digits.

    No exponent, no grouping, no NaN or infinity. Raises ValueError with the reason.
    """
    if not isinstance(text, str):
        raise TypeError(f"a decimal is read from text, not from {type(text).__name__}")
    if len(text) > max_digits + 2:  # a sign and a point
        raise ValueError(f"must have at most {max_digits} digits")
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a plain decimal number; write it like 12.50, "
            f"without exponent or grouping"
        )
    if len(match[1] or "") > max_places:
        raise ValueError(f"must have at most {max_places} digits after the point")
    if len(text) - text.count("-") - text.count(".") > max_digits:
        raise ValueError(f"must have at most {max_digits} digits")
    number = Decimal(text)
    return number if number else abs(number)  # "-0" is 0


def format_decimal(number: Decimal, *, min_places: int = 0) -> str:
    """The number as a plain decimal.

    No exponent, and no trailing zeros beyond `min_places` decimals.
    """
    if not number.is_finite():
        raise ValueError(f"{number} has no plain decimal form")
    if not number:
        number = Decimal(0)
    whole, _, places = format(number, "f").partition(".")
    places = places.rstrip("0").ljust(min_places, "0")
    return f"{whole}.{places}" if places else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An exact amount of one currency in major units: 12.50 of USD is twelve dollars and a half.

    Not necessarily rounded: a unit price may be 0.000001 USD. What is owed has gone through
    `rounded`.
    """

    currency: str
    amount: Decimal

    def __post_init__(self) -> None:
        if type(self.amount) is not Decimal:
            raise TypeError(f"an amount is a Decimal, not a {type(self.amount).__name__}")
        if not self.amount.is_finite():
            raise ValueError(f"{self.amount} is not an amount")
        if self.currency not in MINOR_DIGITS:
            minor_digits(self.currency)  # raises, and says why

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in this currency."""
        return cls(currency=currency, amount=Decimal(0))

    @classmethod
    def sum(cls, currency: str, parts: Iterable[Money]) -> Money:
        """The exact sum of `parts`; zero when there are none. Raises CurrencyMismatch."""
        total = Decimal(0)
        for part in parts:
            if part.currency != currency:
                raise CurrencyMismatch(currency, part.currency)
            total = _EXACT.add(total, part.amount)
        return cls(currency=currency, amount=total)

    @property
    def is_zero(self) -> bool:
        """Whether the amount is exactly nothing."""
        return not self.amount

    @property
    def is_negative(self) -> bool:
        """Whether the amount is below nothing, as a credit's is."""
        return self.amount < 0

    @property
    def text(self) -> str:
        """The amount as text, with at least the currency's decimals: "12.50", "500", "0.0004"."""
        return format_decimal(self.amount, min_places=MINOR_DIGITS[self.currency])

    def __str__(self) -> str:
        return f"{self.text} {self.currency}"

    def __add__(self, other: Money) -> Money:
        self._check_same_currency(other)
        return Money(currency=self.currency, amount=_EXACT.add(self.amount, other.amount))

    def __sub__(self, other: Money) -> Money:
        self._check_same_currency(other)
        return Money(currency=self.currency, amount=_EXACT.subtract(self.amount, other.amount))

    def __neg__(self) -> Money:
        return Money(currency=self.currency, amount=_EXACT.minus(self.amount))

    def __abs__(self) -> Money:
        return -self if self.is_negative else self

    def __mul__(self, factor: Decimal | int) -> Money:
        """The amount times a quantity, exactly; round the result, not the factors."""
        if not isinstance(factor, Decimal | int):
            raise TypeError(
                f"money is multiplied by a Decimal or an int, not by a {type(factor).__name__}"
            )
        return Money(currency=self.currency, amount=_EXACT.multiply(self.amount, factor))

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        self._check_same_currency(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._check_same_currency(other)
        return self.amount <= other.amount

    def rounded(self) -> Money:
        """The amount in whole minor units, half-up; a tie goes away from zero: -0.005 is -0.01.

        The one place where money is rounded; call it once per line, on the exact product (INV-8).
        """
        unit = Decimal((0, (1,), -MINOR_DIGITS[self.currency]))
        amount = _ROUNDING.quantize(self.amount, unit)
        return Money(currency=self.currency, amount=amount if amount else abs(amount))

    def share(self, part: int, whole: int) -> Money:
        """`part` of `whole` equal parts of the amount, such as days, rounded once as by `rounded`.

        The quotient is never written as a decimal in between, so that a tie is a tie. Raises
        ValueError unless 0 <= part <= whole and whole is positive.
        """
        if not (whole > 0 and 0 <= part <= whole):
            raise ValueError(f"{part} of {whole} parts is not a share")
        return rounded_fraction(self.currency, Fraction(self.amount) * Fraction(part, whole))

    def split(self, weights: Sequence[Decimal]) -> list[Money]:
        """Parts in proportion to `weights`, in their order, that sum to this amount exactly.

        By largest remainder; of equal remainders the earlier part gets the unit. A part is a
        multiple of the minor unit, or of this amount's own last place where that is finer. Raises
        ValueError unless the weights are non-negative and one is positive.
        """
        shares = _whole_numbers(weights)
        exponent = self.amount.as_tuple().exponent
        assert isinstance(exponent, int), "__post_init__ refuses what is not finite"
        unit_exponent = min(exponent, -MINOR_DIGITS[self.currency])
        units = int(self.amount.scaleb(-unit_exponent, _EXACT))
        sign = -1 if units < 0 else 1
        return [
            Money(currency=self.currency, amount=Decimal(sign * part).scaleb(unit_exponent, _EXACT))
            for part in _largest_remainder(abs(units), shares)
        ]

    def _check_same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)


def rounded_fraction(currency: str, value: Fraction) -> Money:
    """An exact fraction in whole minor units, half-up as by `Money.rounded`.

    For chains of shares, whose exact value can have more digits than any decimal context keeps.
    """
    digits = minor_digits(currency)
    units = (abs(value) * 10**digits + Fraction(1, 2)).__floor__()
    amount = Decimal(units).scaleb(-digits, _EXACT)
    return Money(currency=currency, amount=-amount if value < 0 and units else amount)


def _whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """Integers in the same proportions as `weights`."""
    if any(not isinstance(weight, Decimal) for weight in weights):
        raise TypeError("weights are Decimals")
    if any(not weight.is_finite() or weight < 0 for weight in weights):
        raise ValueError("weights must not be negative")
    if not any(weights):
        raise ValueError("one weight at least must be positive")
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = math.lcm(*(denominator for _, denominator in ratios))
    return [numerator * (common // denominator) for numerator, denominator in ratios]


def _largest_remainder(units: int, shares: Sequence[int]) -> list[int]:
    """`units` dealt out in proportion to `shares`.

    The rest goes to the largest remainders, earlier ones first.
    """
    whole = sum(shares)
    parts = [units * share // whole for share in shares]
    remainders = [units * share % whole for share in shares]
    rest = units - sum(parts)
    for index in sorted(range(len(shares)), key=lambda index: -remainders[index])[:rest]:
        parts[index] += 1
    return parts
