"""Every SQL text that looks for differences between grants, their transactions and invoices; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from candela_server.credit.model import GrantId
from candela_server.storage.postgres import Tx


class Row(NamedTuple):
    """What does not agree, of which grant and line, and both numbers."""

    drift: str
    grant_id: GrantId
    line_id: str | None
    want: Decimal
    got: Decimal


async def list_negative(tx: Tx) -> list[Row]:
    """Grants from which more was taken than they held."""
    rows = await tx.fetch(
        """
        SELECT 'balance_negative' AS drift, grant_id, NULL AS line_id, 0::numeric AS want,
               sum(amount) AS got
        FROM credit_transaction WHERE merchant_id = $1
        GROUP BY grant_id HAVING sum(amount) < 0 ORDER BY grant_id
        """,
        tx.merchant_id,
    )
    return _rows(rows)


async def list_granted_otherwise(tx: Tx) -> list[Row]:
    """Grants that did not begin with their amount; one that was ordered begins with it when it is paid."""
    rows = await tx.fetch(
        """
        SELECT 'granted_otherwise' AS drift, g.id AS grant_id, NULL AS line_id, w.amount AS want,
               COALESCE(t.amount, 0) AS got
        FROM credit_grant g
        LEFT JOIN top_up p ON p.merchant_id = g.merchant_id AND p.grant_id = g.id
        LEFT JOIN credit_transaction t
          ON t.merchant_id = g.merchant_id AND t.grant_id = g.id AND t.kind = 'grant'
        CROSS JOIN LATERAL (SELECT CASE WHEN p.status IN ('pending', 'ended') THEN 0 ELSE g.amount END
                           ) AS w (amount)
        WHERE g.merchant_id = $1 AND COALESCE(t.amount, 0) <> w.amount
        ORDER BY g.id
        """,
        tx.merchant_id,
    )
    return _rows(rows)


async def list_drawn_otherwise(tx: Tx) -> list[Row]:
    """Lines of final invoices that show another draw than was posted; a void invoice's come out even.

    Adjustments are left out: what they post is more than their line says, as a lapsed grant is refilled first.
    """
    rows = await tx.fetch(
        """
        WITH shown AS (
            SELECT a.grant_id, l.id AS line_id,
                   CASE WHEN i.status = 'void' THEN 0 ELSE -a.quantity END AS want
            FROM invoice i
            JOIN invoice_line l ON l.merchant_id = i.merchant_id AND l.invoice_id = i.id
            CROSS JOIN LATERAL jsonb_to_recordset(l.credit_applications)
                AS a (grant_id text, quantity numeric)
            WHERE i.merchant_id = $1 AND i.status <> 'draft' AND l.kind <> 'adjustment'
        ), posted AS (
            SELECT t.grant_id, t.invoice_line_id AS line_id, sum(t.amount) AS got
            FROM credit_transaction t
            LEFT JOIN invoice_line l ON l.merchant_id = t.merchant_id AND l.id = t.invoice_line_id
            WHERE t.merchant_id = $1 AND t.invoice_line_id IS NOT NULL
              AND l.kind IS DISTINCT FROM 'adjustment'
            GROUP BY t.grant_id, t.invoice_line_id
        )
        SELECT 'drawn_otherwise' AS drift, grant_id COLLATE "C" AS grant_id,
               line_id COLLATE "C" AS line_id,
               COALESCE(s.want, 0) AS want, COALESCE(p.got, 0) AS got
        FROM shown s FULL JOIN posted p USING (grant_id, line_id)
        WHERE COALESCE(s.want, 0) <> COALESCE(p.got, 0)
        ORDER BY 2, 3
        """,
        tx.merchant_id,
    )
    return _rows(rows)


async def list_unnoted_ends(tx: Tx) -> list[Row]:
    """Grants with something left whose end nobody will look at."""
    rows = await tx.fetch(
        """
        SELECT 'ended_unnoted' AS drift, g.id AS grant_id, NULL AS line_id, 0::numeric AS want,
               sum(t.amount) AS got
        FROM credit_grant g
        JOIN credit_transaction t ON t.merchant_id = g.merchant_id AND t.grant_id = g.id
        WHERE g.merchant_id = $1 AND g.expires_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM credit_expiry e
                          WHERE e.merchant_id = g.merchant_id AND e.grant_id = g.id)
        GROUP BY g.id HAVING sum(t.amount) > 0 ORDER BY g.id
        """,
        tx.merchant_id,
    )
    return _rows(rows)


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        Row(
            drift=row["drift"],
            grant_id=row["grant_id"],
            line_id=row["line_id"],
            want=row["want"],
            got=row["got"],
        )
        for row in rows
    ]
