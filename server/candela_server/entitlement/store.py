"""The SQL of snapshots that belongs to no room below."""

from __future__ import annotations

from candela_server.storage.postgres import Tx


async def current_revision(tx: Tx) -> int:
    """A number that never falls: every change with a smaller transaction id is visible to this transaction."""
    # tenant-scope: a number of the database, not of a merchant
    revision: int = await tx.fetchval(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    )
    return revision
