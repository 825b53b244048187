"""Refuses to let a customer go who still holds something: it is ended by who knows how, never on the way (SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import Reason, Refused
from candela_server.storage.postgres import Tx

from . import store
from .model import Status, Subscription
from .rules.lifecycle import RUNNING


class StillRunningError(Refused):
    """Subscriptions run, are paused, or wait for their start."""

    reason = Reason.SUBSCRIPTION_TRANSITION_REFUSED

    def __init__(self, customer_id: CustomerId, running: Sequence[Subscription]) -> None:
        first = running[0].version.status
        # The contract's own words, one of which Python keeps for itself.
        change: dict[str, Any] = {"from": first, "to": Status.CANCELED}
        named = ", ".join(f"{one.id} ({one.version.status})" for one in running[:10])
        super().__init__(
            f"customer {customer_id} still has {len(running)} subscriptions that run or wait: {named}; cancel them, "
            "effective now, then archive the customer",
            customer_id=customer_id,
            **change,
        )


async def check_nothing_runs(tx: Tx, customer_id: CustomerId) -> None:
    """Raises StillRunningError unless all of the customer's subscriptions have ended."""
    running = [
        one
        for one in await store.list_subscriptions_of_customers(tx, [customer_id])
        if one.version.status in RUNNING | {Status.INCOMPLETE}
    ]
    if running:
        raise StillRunningError(customer_id, running)
