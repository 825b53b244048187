"""What a price list shows: the amounts that can be known before anything is used (DSL-8)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from candela_server.catalog.price import ComponentKind, FlatCharge, Price
from candela_server.kernel.money import Money
from candela_server.kernel.recurrence import Frequency, Recurrence

_NOUNS = {
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayAmount:
    """An amount and what it is for: "month", "year", "month per seat"."""

    amount: Money
    per: str


def display_amounts(price: Price) -> tuple[DisplayAmount, ...]:
    """The flat fixed and per-unit amounts, added up by what they are for, in the order of the components.

    Tiered charges depend on the quantity and usage on what is used, so neither is shown.
    """
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for component in price.components:
        if component.kind is ComponentKind.USAGE or not isinstance(
            component.charge.model, FlatCharge
        ):
            continue
        per = _interval_name(component.recurrence_in("UTC"))
        if component.kind is ComponentKind.PER_UNIT:
            per += " per seat" if component.seats is not None else " per unit"
        sums[per] += component.charge.model.unit_price
    return tuple(
        DisplayAmount(amount=Money(currency=price.currency, amount=amount), per=per)
        for per, amount in sums.items()
    )


def _interval_name(recurrence: Recurrence) -> str:
    noun = _NOUNS[recurrence.frequency]
    return noun if recurrence.interval == 1 else f"{recurrence.interval} {noun}s"
