"""Every SQL text over the ends of grants that have something left: their own, or an earlier one (CRD-5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.storage.postgres import Tx

from .model import GrantId


async def put_ends(tx: Tx, grant_ids: Sequence[GrantId], at: datetime) -> None:
    """Notes that grants with something left end at an instant, or earlier where that is noted."""
    await tx.execute(
        """
        INSERT INTO credit_expiry (merchant_id, grant_id, expires_at)
        SELECT g.merchant_id, g.id, $3 FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.id = ANY($2::text[])
          AND 0 < (SELECT sum(t.amount) FROM credit_transaction t
                   WHERE t.merchant_id = g.merchant_id AND t.grant_id = g.id)
        ON CONFLICT (merchant_id, grant_id)
        DO UPDATE SET expires_at = LEAST(credit_expiry.expires_at, excluded.expires_at)
        """,
        tx.merchant_id,
        list(grant_ids),
        at,
    )


async def put_own_ends(tx: Tx, grant_ids: Sequence[GrantId]) -> None:
    """Notes that grants end when they were made to, where an earlier end is noted."""
    await tx.execute(
        """
        UPDATE credit_expiry e SET expires_at = g.expires_at FROM credit_grant g
        WHERE e.merchant_id = $1 AND e.grant_id = ANY($2::text[])
          AND g.merchant_id = $1 AND g.id = e.grant_id AND g.expires_at IS NOT NULL
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    await tx.execute(
        """
        DELETE FROM credit_expiry e USING credit_grant g
        WHERE e.merchant_id = $1 AND e.grant_id = ANY($2::text[])
          AND g.merchant_id = $1 AND g.id = e.grant_id AND g.expires_at IS NULL
        """,
        tx.merchant_id,
        list(grant_ids),
    )


async def list_ends(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, datetime]:
    """When grants with something left end, those that do: their own end, or an earlier one."""
    rows = await tx.fetch(
        """
        SELECT grant_id, expires_at FROM credit_expiry
        WHERE merchant_id = $1 AND grant_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["grant_id"]: row["expires_at"] for row in rows}
