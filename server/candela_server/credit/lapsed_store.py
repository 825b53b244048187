"""Every SQL text over what grants lost at their ends; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.storage.postgres import Tx

from .model import GrantId


async def sum_lapsed(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What expired of each grant as its own time was over, not its terms'; those of which nothing did are absent."""
    rows = await tx.fetch(
        """
        SELECT t.grant_id, -sum(t.amount) AS amount FROM credit_transaction t
        JOIN credit_grant g ON g.merchant_id = t.merchant_id AND g.id = t.grant_id
        WHERE t.merchant_id = $1 AND t.grant_id = ANY($2::text[])
          AND t.kind = 'expire' AND g.expires_at <= t.at
        GROUP BY t.grant_id
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["grant_id"]: row["amount"] for row in rows}
