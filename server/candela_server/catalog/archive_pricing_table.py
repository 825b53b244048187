"""Stops serving a pricing table; its slug stays taken (PUB-1)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import pricing_table_store, read_pricing_table
from .pricing_table import PricingTable, PricingTableId


async def archive_pricing_table(tx: Tx, clock: Clock, table_id: PricingTableId) -> PricingTable:
    """Archives a table; one that is archived keeps the time it was. Raises PricingTableNotFoundError."""
    before = await read_pricing_table.get_pricing_table(tx, table_id, lock=True)
    after = replace(before, archived_at=before.archived_at or clock.now())
    await pricing_table_store.archive_pricing_table(tx, after)
    await tx.audit(
        "pricing_table.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at},
    )
    return after
