"""Discounts: each on what the one before it left, never below zero (DSL-4).

The order is fixed: the component's discounts, then the price's, in the order in which they are listed; tax comes after
all of them. What is left is kept as an exact fraction and rounded once, when the line is made. What each discount took
is shown as the difference of two such roundings, so that the shown amounts always add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from candela_server.billing.model import AppliedDiscount
from candela_server.catalog.price import AmountOff, Discount, DiscountDuration, PercentOff
from candela_server.kernel.money import Money, rounded_fraction

_HUNDRED = 100
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What discounts left of an amount, exactly, and what each of them took."""

    currency: str
    left: Fraction
    taken: tuple[AppliedDiscount, ...] = ()

    @property
    def rounded(self) -> Money:
        """What is left, rounded once."""
        return rounded_fraction(self.currency, self.left)


def applies(discount: Discount, period_number: int) -> bool:
    """Whether a discount lasts in the period of this number, counted from 0.

    It follows from the number alone: no counter is kept that a crash, a voided invoice or a second run could spoil.
    """
    match discount.duration:
        case DiscountDuration.ONCE:
            return period_number == 0
        case DiscountDuration.REPEATING:
            assert discount.period_count is not None, "the wire requires it"
            return period_number < discount.period_count
        case DiscountDuration.FOREVER:
            return True


def discounted(before: Reduced, discounts: Sequence[Discount], period_number: int) -> Reduced:
    """What a component's discounts leave of what its period costs."""
    for position, discount in enumerate(discounts):
        if applies(discount, period_number):
            before = reduced_by(before, discount, position, of_price=False)
    return before


def reduced_by(before: Reduced, discount: Discount, position: int, *, of_price: bool) -> Reduced:
    """What one discount leaves; an amount takes no more than there is."""
    match discount.off:
        case PercentOff() as off:
            left = before.left * (1 - Fraction(off.percent) / _HUNDRED)
            return _after(before, left, discount, position, percent=off.percent, of_price=of_price)
        case AmountOff() as off:
            left = max(before.left - Fraction(off.amount), _NOTHING)
            return _after(before, left, discount, position, percent=None, of_price=of_price)


def reduced_together(
    before: Sequence[Reduced], discount: Discount, position: int, budget: Decimal
) -> list[Reduced]:
    """What a price's amount off leaves of several costs, in their order; it takes `budget` from them together.

    Split in proportion to what is left of each, in whole minor units by largest remainder, so that nothing of the
    amount is lost; each cost is rounded for that, and then no share can exceed its cost.
    """
    costs = [one.rounded.amount for one in before]
    if not any(costs):
        return list(before)
    currency = before[0].currency
    whole = min(Money(currency=currency, amount=budget).rounded().amount, sum(costs, Decimal(0)))
    if whole <= 0:
        return list(before)
    shares = Money(currency=currency, amount=whole).split(costs)
    return [
        _after(
            replace(one, left=Fraction(cost)),
            Fraction(cost) - Fraction(share.amount),
            discount,
            position,
            percent=None,
            of_price=True,
        )
        if share.amount
        else one
        for one, cost, share in zip(before, costs, shares, strict=True)
    ]


def reduced_anew(
    before: Reduced, discount: Discount, position: int, budget: Decimal, room: Decimal
) -> Reduced:
    """What a price's amount off leaves of one cost that is rated anew by itself, after the others of its period.

    Of `budget`, which the others leave of the amount, it takes what there is, and beyond that as much as the others
    can bear: `room`. So what they come to together is what they would have come to had they been rated together, and
    nothing of the amount is lost with usage that was taken back; the cost is below zero then.
    """
    cost = before.rounded.amount
    taken = min(max(budget, Decimal(0)), cost + room)
    if not taken:
        return before
    return _after(
        replace(before, left=Fraction(cost)),
        Fraction(cost) - Fraction(taken),
        discount,
        position,
        percent=None,
        of_price=True,
    )


def _after(
    before: Reduced,
    left: Fraction,
    discount: Discount,
    position: int,
    *,
    percent: Decimal | None,
    of_price: bool,
) -> Reduced:
    currency = before.currency
    shown = before.rounded - rounded_fraction(currency, left)
    taken = AppliedDiscount(
        name=discount.name,
        percent=percent,
        amount=shown.amount,
        of_price=of_price,
        position=position,
    )
    return Reduced(currency=currency, left=left, taken=(*before.taken, taken))
