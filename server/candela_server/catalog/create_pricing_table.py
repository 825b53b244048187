"""Adds a pricing table: a list of plans for a public page (PUB-1)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import pricing_table_store, read_pricing_table
from .pricing_table import PricingTable, PricingTableId, PricingTableRow
from .pricing_table_trace import pricing_table_trace
from .rules.table_rows import check_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePricingTable:
    """The new table, its rows in the order they are shown."""

    slug: str
    name: str
    rows: tuple[PricingTableRow, ...]


async def create_pricing_table(tx: Tx, clock: Clock, command: CreatePricingTable) -> PricingTable:
    """Adds a table of plans that may be shown.

    Raises SlugTakenError, and InvalidInput whose violations point at the rows (`rows[2].plan_id`).
    """
    check_rows("rows", command.rows, await read_pricing_table.plans_of(tx, command.rows))
    table = PricingTable(
        id=PricingTableId(new_id("table")),
        slug=command.slug,
        name=command.name,
        rows=command.rows,
        created_at=clock.now(),
    )
    await pricing_table_store.insert_pricing_table(tx, table)
    await tx.audit("pricing_table.created", table.id, after=pricing_table_trace(table))
    return table
