"""Bills what is due first of a subscription that has just begun, by the code of the regular run (SUB-1, SUB-6)."""

from __future__ import annotations

from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.model import Status, Subscription

from .model import Invoice
from .run_changes import amounts_of
from .settle_change import settle_change


async def bill_creation(tx: Tx, events: EventStore, made: Subscription) -> list[Invoice]:
    """Its first invoices; none of one that begins later. In the transaction that made it."""
    if made.version.status is Status.INCOMPLETE:
        return []
    due = await read_schedule.list_next_due(tx, made.id)
    return await settle_change(
        tx, events, made.id, now=made.created_at, test_clock_id=due[0].test_clock_id
    )


async def settle_creation(tx: Tx, events: EventStore, made: Subscription) -> list[str]:
    """Bills it, for who only asks what it comes to."""
    return amounts_of(await bill_creation(tx, events, made))
