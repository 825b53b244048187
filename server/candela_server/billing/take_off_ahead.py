"""Takes off new invoices what threshold invoices billed ahead of the periods that are on them (INV-2).

What is left of it is given back (`settle_ahead`); what was taken off too much, because a threshold invoice was voided
since, is charged. A period whose own
invoice is void, and not reissued, keeps what was billed ahead of it: that stands on invoices of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from . import threshold_store
from .billing_context import Context
from .model import InvoiceLine, LineId, LineKind
from .rules.threshold import BilledAhead, taken_off


async def without_billed_ahead(
    tx: Tx, context: Context, invoices: Mapping[SubscriptionId, list[InvoiceLine]]
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """The lines of each subscription's new invoice, and what is taken off them; whoever stores them holds the lock."""
    ahead: defaultdict[SubscriptionId, list[BilledAhead]] = defaultdict(list)
    for one in await threshold_store.list_billed_ahead(tx, sorted(invoices)):
        closing = {
            (line.component_id, line.period.start_at)
            for line in invoices[one.subscription_id]
            if line.kind is LineKind.USAGE
        }
        if one.ahead.key in closing or (one.closed and one.ahead.amount < 0):
            ahead[one.subscription_id].append(one.ahead)
    return {
        one_id: [
            *lines,
            *taken_off(
                ahead[one_id],
                lines,
                names=lambda one: name_of(context, one),
                time_zone=context.subscriptions[one_id].time_zone,
                line_id=lambda: LineId(new_id("line")),
            ),
        ]
        if one_id in ahead
        else lines
        for one_id, lines in invoices.items()
    }


def name_of(context: Context, one: BilledAhead) -> str:
    """What was billed, as its component is called."""
    prices = (offer.price for offer in context.ever_held.values())
    price = next((price for price in prices if price.id == one.price_id), None)
    return price.component(one.component_id).name if price else "Usage"
