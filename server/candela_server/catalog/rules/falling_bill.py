"""Where a bill falls as usage rises: only a volume table does that, and its seller should know (DSL-3)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from candela_server.catalog.price import Charge, Component, Price, VolumeCharge
from candela_server.kernel.money import Money, exact, format_decimal

_ONE = Decimal(1)


def warnings(price: Price) -> list[str]:
    """What a seller should know although nothing is wrong, for every charge that holds at some time."""
    return [
        text
        for component in price.components
        for charge in component.charges
        for text in _falls(component, charge, price.currency)
    ]


def _falls(component: Component, charge: Charge, currency: str) -> list[str]:
    """One text for each tier's end beyond which less is due than at it.

    The amount rises inside a tier, so that it can fall at such an end only: to what the end's quantity costs by the
    next tier. Free units and included seats, which are taken off first, shift the ends; a minimum or maximum may hide
    a fall.
    """
    model = charge.model
    if not isinstance(model, VolumeCharge):
        return []
    included = Decimal(component.seats.included_seats) if component.seats else Decimal(0)
    found = []
    for tier, following in pairwise(model.tiers):
        assert tier.up_to is not None, "check_tiers lets only the last tier be open"
        with exact():
            at_end = charge.bounded(tier.up_to * tier.unit_price + tier.flat_fee)
            beyond = charge.bounded(tier.up_to * following.unit_price + following.flat_fee)
            if beyond >= at_end:
                continue
            units = tier.up_to + charge.free_units + included
            next_unit = charge.bounded(
                (tier.up_to + _ONE) * following.unit_price + following.flat_fee
            )
        text = f"{component.name}: {format_decimal(units)} units cost {_money(at_end, currency)}, "
        reached = following.up_to is None or tier.up_to + _ONE <= following.up_to
        if reached and next_unit < at_end:
            text += f"{format_decimal(units + _ONE)} only {_money(next_unit, currency)}"
        else:
            # The next tier is short, or so steep that one unit more is dearer again.
            text += f"a fraction of a unit more only about {_money(beyond, currency)}"
        found.append(f"{text}; graduated tiers never let a bill fall as usage rises")
    return found


def _money(amount: Decimal, currency: str) -> str:
    return str(Money(currency=currency, amount=amount))
