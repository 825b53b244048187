"""Replaces one component of the price by another, for this subscription alone (SUB-6, SUB-8).

The subscription goes on at a price of its own, of which only the one component is new. What stays is not cut: it is due
when it was, its tiers go on where they were, and its discounts and the price's commitment count the same periods.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.price import Price
from candela_server.catalog.vary_price import add_variation, vary_price
from candela_server.storage.postgres import Tx

from .change import ComponentSwap
from .change_plan import OtherCurrencyError, check_billable
from .model import Subscription, SubscriptionVersion
from .rules.lifecycle import check_running
from .rules.quantities import carried_over


async def swap_component(
    tx: Tx, held: Subscription, change: ComponentSwap, *, at: datetime
) -> SubscriptionVersion:
    """The terms with the new component. What is held of the old one is held of the new, as of another price's seats.

    Raises as swapped.
    """
    before, after = await swapped(tx, held, change)
    if after == before:
        return held.version
    made = await add_variation(tx, before, after, at=at)
    return with_price(held, before, made)


async def swapped(tx: Tx, held: Subscription, change: ComponentSwap) -> tuple[Price, Price]:
    """The price as it is and as it would be; nothing is stored.

    Raises TransitionRefusedError, OtherCurrencyError, and InvalidInput for a component that is not held or a metric
    that is not in use.
    """
    check_running(held.version.status)
    if change.currency not in (None, held.currency):
        raise OtherCurrencyError(held.currency, str(change.currency), field="component")
    before = await catalog.get_price(tx, held.version.price_id)
    after = await vary_price(
        tx, before, change.component_id, change.component, customer_id=held.customer_id
    )
    offer = await catalog.get_offer(tx, held.version.plan_version_id, before.id)
    check_billable(replace(offer, price=after), field="component")
    return before, after


def with_price(held: Subscription, before: Price, after: Price) -> SubscriptionVersion:
    """The version at the varied price."""
    quantities = carried_over(before, held.version.quantities, after, {})
    return replace(held.version, price_id=after.id, quantities=quantities)
