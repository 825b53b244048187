"""What is sold in the simulated year, as plain data: what the model computes from and what Candela is told to sell."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component of a price.

    `kind` is fixed, seats or usage; `model` flat, graduated, volume, package or percent, with its `terms`: the unit
    price; (up to, unit price, flat fee) of each tier; (size, price) of a package; or the percentage.
    """

    name: str
    kind: str
    every: str
    arrears: bool
    model: str
    terms: tuple[object, ...]
    free_units: str = "0"
    minimum: str | None = None
    maximum: str | None = None
    percent_off: str | None = None
    off_periods: int | None = None
    minimum_seats: int = 0
    included_seats: int = 0
    bill_immediately: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trial leads to, and after how many days."""

    parent: Sold
    days: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sold:
    """A plan with one price, or another price `of` a plan; an override takes up the latter (SUB-4).

    `credits` is what each period of usage includes, per seat or per customer; the plan's, whatever its price.
    So much of them as `rollover_cap` says is carried over into the next period. `money` is what each month of it takes
    off what the plan charges.
    """

    slug: str
    currency: str
    minor_digits: int
    parts: tuple[Part, ...]
    credits: str | None = None
    credits_per_seat: bool = False
    rollover_cap: str | None = None
    money: str | None = None
    commitment: str | None = None
    threshold: str | None = None
    trial: Trial | None = None
    of: Sold | None = None

    @property
    def product(self) -> Sold:
        """The plan that this is a price of: its usage is measured, and it grants the credits."""
        return self.of or self

    @property
    def usage(self) -> Part | None:
        """Its usage component; a plan has one at most."""
        return next((part for part in self.parts if part.kind == "usage"), None)

    @property
    def has_seats(self) -> bool:
        """Whether somebody buys a number of something."""
        return any(part.kind == "seats" for part in self.parts)


def decimal(text: object) -> Decimal:
    """An amount as it is written above."""
    return Decimal(str(text))
