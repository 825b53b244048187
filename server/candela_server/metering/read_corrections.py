"""What other rooms may ask about corrections: whose usage changed after it had been read (EVT-4).

Whoever has frozen a number (an invoice that is finalized) asks for what was corrected since, and reads usage again
for the periods that overlap; the difference is its adjustment. A row is added in the correction's own transaction,
and says no more than that something inside its window may differ: reading usage says by how much, which may be 0.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from candela_server.storage.postgres import Tx

from . import correction_store
from .correction import CorrectedUsage

SLACK: Final = timedelta(minutes=5)
"""How long before its commit a correction may have taken its instant: more than any statement may last. What was
corrected so shortly before is listed as well, because whoever read usage then may not have seen it."""

MAX_LISTED: Final = 10_000
"""Rows of one answer; whoever gets so many asks again from the last one's `corrected_at` on."""


async def list_corrected_usage(
    tx: Tx, *, since: datetime, customer_id: str | None = None
) -> list[CorrectedUsage]:
    """What may have been corrected since an instant of the server's clock, oldest first; of all customers for None."""
    return await correction_store.list_corrected_usage(
        tx, since=since - SLACK, customer_id=customer_id, limit=MAX_LISTED
    )
