"""What a price list shows: the amounts that can be known before anything is used (DSL-8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from candela_server.catalog.price import (
    AmountOff,
    Component,
    ComponentKind,
    Discount,
    DiscountDuration,
    FlatCharge,
    PercentOff,
    Price,
)
from candela_server.kernel.money import Money, exact
from candela_server.kernel.recurrence import Recurrence
from candela_server.kernel.recurrence_text import Frequency

_NOUNS = {
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}
_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_FINEST = Decimal((0, (1,), -12))
# An amount has at most 38 digits and a share of 12 places 15 more.
_PRECISION = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayAmount:
    """An amount and what it is for: "month", "year", "month per seat", "month at least"."""

    amount: Money
    per: str


def display_amounts(price: Price) -> tuple[DisplayAmount, ...]:
    """The flat fixed and per-unit amounts, added up by what they are for, in the order of the components.

    Tiered charges depend on the quantity and usage on what is used, so neither is shown. An amount is the first that
    a component ever charges, even when it begins later. Discounts in percent that last for ever are taken off, and so
    are such amounts off a fixed component; what ends is an advantage, not the price. A commitment comes last.
    """
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for component in price.components:
        amount = _known_amount(component)
        if amount is None:
            continue
        per = _interval_name(component.recurrence_in("UTC"))
        if component.kind is ComponentKind.PER_UNIT:
            per += " per seat" if component.seats is not None else " per unit"
        whole = (one for one in price.discounts if isinstance(one.off, PercentOff))
        lowered = _lowered(amount, whole)
        with exact():
            sums[per] += lowered
    if price.minimum_commitment is not None:
        recurrence = price.minimum_commitment.recurrence_in("UTC")
        sums[f"{_interval_name(recurrence)} at least"] = price.minimum_commitment.amount
    return tuple(
        DisplayAmount(amount=Money(currency=price.currency, amount=amount), per=per)
        for per, amount in sums.items()
    )


def _known_amount(component: Component) -> Decimal | None:
    """What a period, or one unit in it, costs; None when that depends on the quantity."""
    model = component.charge.model
    if component.kind is ComponentKind.USAGE or not isinstance(model, FlatCharge):
        return None
    amount, discounts = model.unit_price, component.discounts
    if component.kind is ComponentKind.PER_UNIT:
        # An amount off is off the whole period and not off each unit.
        discounts = tuple(one for one in discounts if isinstance(one.off, PercentOff))
    else:
        amount = component.charge.bounded(amount)
    return _lowered(amount, discounts)


def _lowered(amount: Decimal, discounts: Iterable[Discount]) -> Decimal:
    for discount in discounts:
        if discount.duration is not DiscountDuration.FOREVER:
            continue
        match discount.off:
            case PercentOff(percent=percent):
                amount = _share(amount, _HUNDRED - percent)
            case AmountOff(amount=off):
                with exact():
                    amount = max(amount - off, _ZERO)
    return amount


def _share(amount: Decimal, percent: Decimal) -> Decimal:
    """So many percent of an amount, half-up to the 12 places that the contract allows."""
    with localcontext(Context(prec=_PRECISION, rounding=ROUND_HALF_UP)):
        share = amount * percent / _HUNDRED
        exponent = share.as_tuple().exponent
        assert isinstance(exponent, int), "amounts are finite"
        return share.quantize(_FINEST) if exponent < -12 else share


def _interval_name(recurrence: Recurrence) -> str:
    noun = _NOUNS[recurrence.frequency]
    return noun if recurrence.interval == 1 else f"{recurrence.interval} {noun}s"
