"""Lets a customer be billed again whom a safety bound had parked: an operator has looked."""

from __future__ import annotations

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.claim_due import unpark
from candela_server.subscription.create_subscription import BILLING_DUE
from candela_server.subscription.model import SubscriptionId

from . import billing_run_store


async def release_parked(
    tx: Tx, clock: Clock, customer_id: CustomerId, *, reason: str
) -> list[SubscriptionId]:
    """The subscriptions that are billed again, at once; none when none was parked. Raises CustomerNotFoundError.

    What the customer was invoiced until now counts towards the bound no more, else the next run would park it again;
    what comes counts from nought.
    """
    holder = await customer.get_customer(tx, CustomerById(customer_id), lock=True)
    parked = await read_schedule.list_parked(tx, holder.id)
    if not parked:
        return []
    now = (await customer.customer_clock(tx, clock, holder)).now()
    ids = [one.subscription_id for one in parked]
    await unpark(tx, ids)
    await billing_run_store.put_release(tx, holder.id, now)
    await tx.audit_many(
        "subscription.released",
        [(one.subscription_id, {"parked_at": one.parked_at}, None) for one in parked],
        reason=reason or None,
    )
    await tx.announce(BILLING_DUE, holder.id, {"test_clock_id": holder.test_clock_id})
    return ids
