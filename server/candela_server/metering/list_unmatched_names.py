"""Which event names no metric reads (EVT-11)."""

from __future__ import annotations

from candela_server.catalog import read as catalog
from candela_server.storage.postgres import Tx

from .unmatched_name_store import UnmatchedName, page_unmatched_names


async def list_unmatched_names(tx: Tx, *, limit: int, after: str) -> list[UnmatchedName]:
    """Names that events carried and no metric reads now, in alphabetical order; "" begins the list."""
    metrics = await catalog.list_metrics(tx)
    names = {name for metric in metrics for name in metric.event_names}
    return await page_unmatched_names(tx, read_names=sorted(names), limit=limit, after=after)
