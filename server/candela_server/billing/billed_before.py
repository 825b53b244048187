"""What was billed before, as far back as anything depends on it, drafts included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from candela_server.catalog.price import Price
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from . import billed_store
from .model import BilledLine, InvoiceLine
from .rules.commitment import commitment_length

LOOKS_BACK: Final = timedelta(days=400)
"""How long ago a period may have ended that late usage changes: a yearly one, and some weeks."""

REMEMBERED: Final = timedelta(days=800)
"""How far back lines are read that others depend on: two yearly periods of a commitment or a discount, and more.

Of commitments with longer periods it is further: see `reach_of`.
"""


def reach_of(prices: Iterable[Price]) -> timedelta:
    """How far back the lines of these prices lie that others depend on: at least all of a commitment's period that
    ended as long ago as late usage is looked for.
    """
    return max((REMEMBERED, *(commitment_length(one) + LOOKS_BACK for one in prices)))


async def read_billed_lines(
    tx: Tx, ids: Sequence[SubscriptionId], seen_at: datetime, reach: timedelta = REMEMBERED
) -> dict[SubscriptionId, list[BilledLine]]:
    """What is billed of these subscriptions, drafts included, as far back as anything depends on it."""
    found: defaultdict[SubscriptionId, list[BilledLine]] = defaultdict(list)
    for one in await billed_store.list_billed_lines(tx, ids, since=seen_at - reach):
        found[one.subscription_id].append(one)
    return found


async def read_voided_lines(
    tx: Tx, ids: Sequence[SubscriptionId], seen_at: datetime, reach: timedelta = REMEMBERED
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """What void invoices of these subscriptions billed, but for those that were reissued; as far back."""
    found = await billed_store.list_voided_lines(tx, ids, since=seen_at - reach)
    return {one_id: [line for _, line in some] for one_id, some in found.items()}
