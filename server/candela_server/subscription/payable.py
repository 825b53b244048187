"""Whether there is something to pay for a subscription with (CAT-6, TRL-2, PAY-1).

Who pays what is sent can always be billed, and what is free needs nothing. What is charged automatically needs a
payment method, which no customer has before payments are served: then it is this file that asks for it.
"""

from __future__ import annotations

from candela_server.catalog.price import Price
from candela_server.catalog.rules.free_plan import is_free
from candela_server.kernel.errors import Unserved

from .model import CollectionMethod, Status, Subscription

_BILLED = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})


def can_be_paid(method: CollectionMethod, price: Price) -> bool:
    """Whether invoices at this price can be paid in this way."""
    return method is CollectionMethod.SEND_INVOICE or is_free(price)


def check_payable(held: Subscription, price: Price) -> None:
    """Raises Unserved when the subscription would be billed at a price that nothing is there to pay with."""
    if held.version.status in _BILLED and not can_be_paid(held.collection_method, price):
        raise Unserved(
            "COLLECTION_METHOD_CHARGE_AUTOMATICALLY for a price that is not free, which takes a payment method "
            "(what is subscribed to with COLLECTION_METHOD_SEND_INVOICE is served),",
            "PAY-1",
            field="collection_method",
        )
