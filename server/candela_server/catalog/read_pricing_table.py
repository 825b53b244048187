"""What others may ask about pricing tables as their merchant manages them (PUB-1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.storage.postgres import Tx

from . import pricing_table_store, store
from .model import Plan, PlanId
from .pricing_table import (
    PricingTable,
    PricingTableId,
    PricingTableNotFoundError,
    PricingTableRow,
)


async def get_pricing_table(
    tx: Tx, table_id: PricingTableId, *, lock: bool = False
) -> PricingTable:
    """The table, archived or not; locked until commit when asked. Raises PricingTableNotFoundError."""
    found = await pricing_table_store.find_pricing_table(tx, table_id=table_id, lock=lock)
    if found is None:
        raise PricingTableNotFoundError(table_id)
    return found


async def list_pricing_tables(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None
) -> list[PricingTable]:
    """One page of tables, archived ones too, by (created_at, id)."""
    return await pricing_table_store.list_pricing_tables(tx, limit=limit, after=after)


async def plans_of(tx: Tx, rows: Sequence[PricingTableRow]) -> dict[PlanId, Plan]:
    """The plans that these rows name; unknown ids are left out."""
    found = await store.list_plans_by_id(tx, [row.plan_id for row in rows])
    return {plan.id: plan for plan in found}
