"""What a check answers inside the process: usage read from the rollups, no live counters (ENT-4)."""

from __future__ import annotations

from decimal import Decimal

from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.check_entitlement import asks_of
from candela_server.entitlement.model import Answer, UsageNow
from candela_server.entitlement.rules.allowance import decide
from candela_server.kernel.clock import Clock
from candela_server.metering.query_usage import aggregate_many
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.helpers.snapshots import build_snapshot


async def answer_for(
    db: Postgres,
    events: EventStore,
    clock: Clock,
    merchant_id: str,
    holder: Customer,
    feature: str = "calls",
) -> Answer:
    """Whether one more may be used now, and where the customer stands."""
    async with db.reading(merchant_id) as tx:
        snapshot = await build_snapshot(tx, clock, CustomerById(holder.id))
    state = snapshot.features[feature]
    used, *past = await aggregate_many(events, merchant_id, asks_of(snapshot, state))
    return decide(state, used=used, quantity=Decimal(1), past=past)


def usage_of(answer: Answer) -> UsageNow:
    """Where a customer stands with a metered feature."""
    assert answer.usage is not None
    return answer.usage
