"""What others may ask about what is billed next, and about what a safety bound has parked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.customer.model import CustomerId
from candela_server.storage.postgres import Postgres, Tx

from . import schedule_store, scheduled_store
from .change import ScheduledChange
from .model import ParkedSubscription, ScheduledPeriod, SubscriptionId


async def list_next_due(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledPeriod]:
    """The periods of a subscription that fall due first; none when nothing will be billed."""
    return await schedule_store.list_next_due(tx, subscription_id)


async def list_pending(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledChange]:
    """The changes of a subscription that wait for their time, in the order in which they will be done."""
    return await scheduled_store.list_pending(tx, subscription_id)


async def list_schedule(tx: Tx, subscription_id: SubscriptionId) -> list[ScheduledPeriod]:
    """All that is still to be billed of a subscription, whenever it is due."""
    return await schedule_store.list_schedule(tx, subscription_id)


async def list_running(
    tx: Tx, ids: Sequence[SubscriptionId], now: datetime
) -> list[ScheduledPeriod]:
    """The periods of these subscriptions that have begun and are not due yet; of those that are parked none."""
    return await schedule_store.list_running(tx, ids, now)


async def list_parked(tx: Tx, customer_id: CustomerId | None = None) -> list[ParkedSubscription]:
    """The merchant's parked subscriptions, or those of one customer."""
    return await schedule_store.list_parked(tx, customer_id)


async def parked_since(tx: Tx, ids: Sequence[SubscriptionId]) -> dict[SubscriptionId, datetime]:
    """Since when those of these subscriptions are parked that are; nothing of them is invoiced."""
    return await schedule_store.parked_since(tx, ids)


async def list_parked_everywhere(db: Postgres) -> list[ParkedSubscription]:
    """The parked subscriptions of all merchants: for the operator of the machine."""
    async with db.system() as tx:
        merchants = await schedule_store.list_merchants_with_parked(tx)
    found = []
    for merchant_id in merchants:
        async with db.reading(merchant_id) as tx:
            found += await schedule_store.list_parked(tx)
    return found


async def count_parked_everywhere(tx: Tx) -> int:
    """How many subscriptions of all merchants are parked; in a system transaction."""
    return await schedule_store.count_parked_everywhere(tx)


async def count_customers_parked_at(tx: Tx, at: datetime) -> int:
    """How many customers the run of this instant parked."""
    return await schedule_store.count_customers_parked_at(tx, at)
