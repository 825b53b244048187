"""The SQL of what changed and when, as transaction ids tell it (ENT-8).

An xid is compared with a snapshot's xmin, which `store.current_revision` calls the revision: every change with a
smaller xid is visible to that snapshot. One with an equal or greater xid may be or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from candela_server.storage.postgres import Tx

EVERYBODY = ""
"""The customer id of a change that concerns all customers of a merchant."""


async def newest_changes(tx: Tx, customer_ids: Sequence[str]) -> dict[str, int]:
    """The xid of each customer's newest change, and of EVERYBODY's; those without one are left out."""
    rows = await tx.fetch(
        """
        SELECT wanted.id, newest.changed_xid
        FROM unnest($2::text[]) AS wanted(id)
        CROSS JOIN LATERAL (
            SELECT changed_xid FROM entitlement_change
            WHERE merchant_id = $1 AND customer_id = wanted.id
            ORDER BY changed_xid DESC
            LIMIT 1
        ) AS newest
        """,
        tx.merchant_id,
        [EVERYBODY, *customer_ids],
    )
    return {row["id"]: row["changed_xid"] for row in rows}


async def list_changed(tx: Tx, *, since: int, limit: int) -> list[str]:
    """Whose entitlements changed in transactions from `since` on: distinct ids by id, EVERYBODY first."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT customer_id FROM entitlement_change
        WHERE merchant_id = $1 AND changed_xid >= $2
        ORDER BY customer_id
        LIMIT $3
        """,
        tx.merchant_id,
        since,
        limit,
    )
    return [row["customer_id"] for row in rows]


async def look_around(tx: Tx, since: Mapping[str, int]) -> tuple[int, list[tuple[str, str, int]]]:
    """The revision now, and (merchant, customer, xid) of what changed for each merchant from its xid on.

    Both come from one snapshot, so a change below the revision that is not among them does not exist. In a system
    transaction.
    """
    rows = await tx.fetch(
        """
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS revision,
               changed.merchant_id, changed.customer_id, changed.changed_xid
        FROM (VALUES (true)) AS always(row)
        LEFT JOIN (
            SELECT c.merchant_id, c.customer_id, max(c.changed_xid) AS changed_xid
            FROM unnest($1::text[], $2::bigint[]) AS watched(merchant_id, since)
            JOIN entitlement_change c
              ON c.merchant_id = watched.merchant_id AND c.changed_xid >= watched.since
            GROUP BY c.merchant_id, c.customer_id
        ) AS changed ON true
        """,
        list(since),
        list(since.values()),
    )
    return rows[0]["revision"], [
        (row["merchant_id"], row["customer_id"], row["changed_xid"])
        for row in rows
        if row["merchant_id"] is not None
    ]


async def forget_changes_before(tx: Tx, instant: datetime) -> int:
    """Takes away what is older than any resume token; returns how many rows. In a system transaction."""
    # tenant-scope: an old change is forgotten whosever it is
    return await tx.execute("DELETE FROM entitlement_change WHERE changed_at < $1", instant)
