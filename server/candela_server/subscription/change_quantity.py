"""Adds or removes units, such as seats (SEAT-1 to SEAT-4)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.catalog import read as catalog
from candela_server.catalog.price import Price
from candela_server.storage.postgres import Tx

from .change import QuantityChange
from .migration import MoveTiming
from .model import Proration, Subscription, SubscriptionVersion
from .rules.lifecycle import check_running
from .rules.quantities import changed


async def change_quantity(
    tx: Tx, held: Subscription, change: QuantityChange
) -> SubscriptionVersion:
    """The terms with other quantities. Raises TransitionRefusedError and InvalidInput."""
    check_running(held.version.status)
    price = await catalog.get_price(tx, held.version.price_id)
    return replace(
        held.version, quantities=changed(price, held.version.quantities, change.quantities)
    )


def usual_timing(held: Subscription, change: QuantityChange) -> MoveTiming:
    """Additions take effect now; removals when the period ends, because it is paid for (SEAT-4).

    What adds here and removes there waits as a whole.
    """
    removes = any(
        quantity < held.version.quantities.get(component_id, quantity)
        for component_id, quantity in change.quantities.items()
    )
    return MoveTiming.PERIOD_END if removes else MoveTiming.NOW


def usual_proration(price: Price, change: QuantityChange, set_by_merchant: Proration) -> Proration:
    """On an invoice at once where the price says so, else as the merchant has it set (DSL-6, SEAT-2)."""
    at_once = any(
        component.seats is not None
        and component.seats.bill_immediately
        and component.id in change.quantities
        for component in price.components
    )
    return Proration.INVOICE_NOW if at_once else set_by_merchant
