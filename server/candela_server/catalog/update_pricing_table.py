"""Changes a pricing table's name, or replaces its rows (PUB-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.storage.postgres import Tx

from . import pricing_table_store, read_pricing_table
from .pricing_table import PricingTable, PricingTableId, PricingTableRow
from .pricing_table_trace import pricing_table_trace
from .rules.table_rows import check_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePricingTable:
    """What to change; None leaves it as it is. `rows` are the new ones, whole."""

    table_id: PricingTableId
    name: str | None
    rows: tuple[PricingTableRow, ...] | None


async def update_pricing_table(tx: Tx, command: UpdatePricingTable) -> PricingTable:
    """Changes what the command names and leaves the rest; an archived table stays archived.

    Raises PricingTableNotFoundError, and InvalidInput whose violations point at the rows
    (`rows.values[2].plan_id`).
    """
    before = await read_pricing_table.get_pricing_table(tx, command.table_id, lock=True)
    if command.rows is not None:
        plans = await read_pricing_table.plans_of(tx, command.rows)
        check_rows("rows.values", command.rows, plans)
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        rows=before.rows if command.rows is None else command.rows,
    )
    await pricing_table_store.update_pricing_table(tx, after)
    await tx.audit(
        "pricing_table.updated",
        after.id,
        before=pricing_table_trace(before),
        after=pricing_table_trace(after),
    )
    return after
