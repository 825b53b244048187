"""The SQL over event names that no metric reads, as people list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.storage.postgres import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedName:
    """A name that events carried and no metric reads: often a misspelling (EVT-11)."""

    name: str
    event_count: int
    first_event_at: datetime
    last_event_at: datetime


async def page_unmatched_names(
    tx: Tx, *, read_names: Sequence[str], limit: int, after: str
) -> list[UnmatchedName]:
    """One page in alphabetical order, without those that some metric reads by now."""
    rows = await tx.fetch(
        """
        SELECT name, sum(event_count)::bigint AS event_count,
               min(first_event_at) AS first_event_at, max(last_event_at) AS last_event_at
        FROM unmatched_event_name
        WHERE merchant_id = $1 AND name > $2 AND name <> ALL ($3)
        GROUP BY name ORDER BY name LIMIT $4
        """,
        tx.merchant_id,
        after,
        list(read_names),
        limit,
    )
    return [UnmatchedName(**row) for row in rows]
