"""What the usage of a part of a period costs, when a change has cut the period (DSL-3, SUB-6).

A component that is left and joined again has several parts of one period. Its tiers, free units, packages and bounds
belong to the period, not to a part: a later part costs what all of it comes to so far, less what the parts before it
came to. So whoever leaves a plan and comes back pays what they would have paid had they stayed away from the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.catalog.price import AmountOff, Charge, ComponentId, Discount
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact, rounded_fraction
from candela_server.kernel.time_zone import civil_days

from .rating.pipeline import Rated, rated

_ZERO = Decimal(0)
_OF_USAGE = frozenset({LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.ADJUSTMENT})
_MEASURED = frozenset({LineKind.USAGE, LineKind.ADJUSTMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierParts:
    """What the earlier parts of a period came to, as their lines say.

    `quantity` is what no credit paid for; `taken` is what each amount off of the component took, by its position.
    """

    quantity: Decimal = _ZERO
    event_count: Decimal = _ZERO
    days: int = 0
    taken: Mapping[int, Decimal] = field(default_factory=dict)

    @property
    def are_none(self) -> bool:
        """Whether the part is the first one, as most are."""
        return not (self.quantity or self.event_count or self.days or self.taken)


NO_PARTS = EarlierParts()


def earlier_parts(
    component_id: ComponentId,
    part: Interval,
    whole: Interval,
    time_zone: str,
    lines: Iterable[InvoiceLine],
) -> EarlierParts:
    """What came before this part of a component's whole period, by the lines of all invoices."""
    own = [
        line
        for line in lines
        if line.component_id == component_id
        and line.kind in _OF_USAGE
        and whole.start_at <= line.period.start_at
        and line.period.end_at <= part.start_at
    ]
    if not own:
        return NO_PARTS
    taken: defaultdict[int, Decimal] = defaultdict(Decimal)
    for line in own:
        for discount in line.discounts:
            if not discount.of_price and discount.percent is None:
                taken[discount.position] += discount.amount
    with exact():
        measured = sum((line.quantity for line in own if line.kind in _MEASURED), _ZERO)
        covered = sum((draw.amount for line in own for draw in line.draws), _ZERO)
        return EarlierParts(
            quantity=max(measured - covered, _ZERO),
            event_count=sum((line.event_count or _ZERO for line in own), _ZERO),
            days=sum(civil_days(period, time_zone) for period in {line.period for line in own}),
            taken=taken,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CutCharge:
    """A charge as it holds up to the end of a part, and up to its beginning; `whole` is that of all the period."""

    whole: Charge
    charge: Charge
    before: Charge
    days: int
    whole_days: int
    earlier: EarlierParts

    def cost(self, quantity: Decimal, event_count: Decimal) -> Rated:
        """What so much costs beyond the earlier parts; never less than nothing.

        Where a cheaper volume tier begins, all of a period can cost less than the beginning of it did. That does not
        give back what an earlier part cost.
        """
        earlier = self.earlier
        with exact():
            now = rated(
                self.charge,
                earlier.quantity + quantity,
                event_count=earlier.event_count + event_count,
            )
            then = (
                _ZERO
                if earlier.are_none
                else rated(self.before, earlier.quantity, event_count=earlier.event_count).amount
            )
            # What is more than all of it stays with the earlier parts.
            then = min(then, now.amount)
            return replace(
                now,
                amount=now.amount - then,
                calculation=replace(
                    now.calculation,
                    minimum=self.whole.minimum,
                    maximum=self.whole.maximum,
                    days=self.days,
                    whole_days=self.whole_days,
                    earlier_quantity=earlier.quantity,
                    earlier_amount=then,
                ),
            )


def cut_charge(
    charge: Charge,
    *,
    currency: str,
    part: Interval,
    whole: Interval,
    time_zone: str,
    earlier: EarlierParts,
) -> CutCharge:
    """The charge with its minimum and maximum cut to the days; usage itself is never cut by price."""
    whole_days = civil_days(whole, time_zone)
    days = earlier.days + civil_days(part, time_zone)
    return CutCharge(
        whole=charge,
        charge=_for_days(charge, currency, days, whole_days),
        before=_for_days(charge, currency, earlier.days, whole_days),
        days=days,
        whole_days=whole_days,
        earlier=earlier,
    )


def discounts_left(
    discounts: Iterable[Discount], taken: Mapping[int, Decimal]
) -> tuple[Discount, ...]:
    """A component's discounts, with what earlier parts left of each amount off."""
    return tuple(
        replace(one, off=AmountOff(amount=max(one.off.amount - taken.get(position, _ZERO), _ZERO)))
        if isinstance(one.off, AmountOff)
        else one
        for position, one in enumerate(discounts)
    )


def _for_days(charge: Charge, currency: str, days: int, whole_days: int) -> Charge:
    """The charge's bounds for so many days of the period.

    The day on which a part ends belongs to what is held afterwards, so that a part within one day has none. It owes
    no minimum then; but its maximum is that of one day, because a maximum of nothing would make its usage free.
    """
    if days == whole_days or not whole_days:
        return charge

    def cut(bound: Decimal | None, days: int) -> Decimal | None:
        if bound is None:
            return None
        return rounded_fraction(currency, Fraction(bound) * Fraction(days, whole_days)).amount

    return replace(
        charge, minimum=cut(charge.minimum, days), maximum=cut(charge.maximum, max(days, 1))
    )
