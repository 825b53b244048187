"""How many seats a subscription holds: what per-seat credits are counted by (DSL-9)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from candela_server.catalog.price import ComponentId, ComponentKind, Price

_ZERO = Decimal(0)


def seats_held(price: Price, quantities: Mapping[ComponentId, Decimal]) -> Decimal:
    """The units of the components with seat terms; other units, such as gigabytes, are no seats.

    In a price where no component has seat terms, all PER_UNIT components count.
    """
    counted = [one for one in price.components if one.kind is ComponentKind.PER_UNIT]
    seats = [one for one in counted if one.seats is not None] or counted
    return sum((quantities.get(one.id, _ZERO) for one in seats), _ZERO)
