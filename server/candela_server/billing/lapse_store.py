"""Every SQL text over grants whose time is over; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.credit.model import GrantId
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx


async def lock_lapsed(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None, after: str, limit: int
) -> list[GrantId]:
    """Locks the ends of grants that no invoice can draw from any more, by id, passing by those that are locked.

    A grant still pays for a period that began before its end: one that is not billed yet, or is on a draft. Usage
    credit looks at the periods of its metric alone, so where no component bills that, nothing is waited for. Only what
    may be carried over waits all the same: until the period that it ended with is billed, which draws what was used,
    and until what it is carried into is granted.
    """
    rows = await tx.fetch(
        """
        SELECT e.grant_id FROM credit_expiry e
        JOIN credit_grant g ON g.merchant_id = e.merchant_id AND g.id = e.grant_id
        JOIN customer c ON c.merchant_id = g.merchant_id AND c.id = g.customer_id
        WHERE e.merchant_id = $1 AND e.expires_at <= $2 AND e.grant_id > $4
          AND c.test_clock_id IS NOT DISTINCT FROM $3
          AND NOT EXISTS (
              SELECT FROM subscription s
              JOIN component_schedule p ON p.merchant_id = s.merchant_id AND p.subscription_id = s.id
              JOIN price_component o ON o.merchant_id = p.merchant_id AND o.id = p.component_id
              WHERE s.merchant_id = g.merchant_id AND s.customer_id = g.customer_id
                AND p.period_start < e.expires_at
                AND (g.metric_id IS NULL OR o.metric_id = g.metric_id))
          AND NOT EXISTS (
              SELECT FROM invoice i
              JOIN invoice_line l ON l.merchant_id = i.merchant_id AND l.invoice_id = i.id
              WHERE i.merchant_id = g.merchant_id AND i.customer_id = g.customer_id
                AND i.status = 'draft' AND l.period_start < e.expires_at
                AND (g.metric_id IS NULL OR l.metric_id = g.metric_id))
          AND NOT EXISTS (
              SELECT FROM credit_definition d
              WHERE d.merchant_id = g.merchant_id AND d.id = g.definition_id AND d.rollover_cap > 0
                AND (EXISTS (
                        SELECT FROM component_schedule p
                        WHERE p.merchant_id = g.merchant_id AND p.subscription_id = g.subscription_id
                          AND p.due_at <= e.expires_at)
                     OR EXISTS (
                        SELECT FROM credit_renewal r
                        WHERE r.merchant_id = g.merchant_id AND r.subscription_id = g.subscription_id
                          AND r.definition_id = g.definition_id AND r.due_at <= e.expires_at)))
        ORDER BY e.grant_id LIMIT $5
        FOR UPDATE OF e SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        test_clock_id,
        after,
        limit,
    )
    return [row["grant_id"] for row in rows]


async def list_drawn_by_drafts(tx: Tx, grant_ids: Sequence[GrantId]) -> set[GrantId]:
    """Those of these grants that a draft may still draw from: it bills usage of their metric before their end."""
    if not grant_ids:
        return set()
    rows = await tx.fetch(
        """
        SELECT g.id FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.id = ANY($2::text[])
          AND EXISTS (
              SELECT FROM invoice i
              JOIN invoice_line l ON l.merchant_id = i.merchant_id AND l.invoice_id = i.id
              WHERE i.merchant_id = g.merchant_id AND i.customer_id = g.customer_id
                AND i.status = 'draft' AND l.period_start < g.expires_at
                AND l.metric_id = g.metric_id)
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["id"] for row in rows}


async def list_awaited(tx: Tx, grant_ids: Sequence[GrantId]) -> set[GrantId]:
    """Those of these grants that came with a subscription of which a part of their time is not billed for good: since a
    change has cut it off it waits for the next invoice, or it is on a draft."""
    if not grant_ids:
        return set()
    rows = await tx.fetch(
        """
        SELECT g.id FROM credit_grant g
        LEFT JOIN credit_expiry e ON e.merchant_id = g.merchant_id AND e.grant_id = g.id
        WHERE g.merchant_id = $1 AND g.id = ANY($2::text[])
          AND (EXISTS (
                  SELECT FROM component_schedule p
                  JOIN price_component o ON o.merchant_id = p.merchant_id AND o.id = p.component_id
                  WHERE p.merchant_id = g.merchant_id AND p.subscription_id = g.subscription_id
                    AND p.price_id IS NOT NULL AND o.metric_id = g.metric_id
                    AND p.period_start < COALESCE(e.expires_at, g.expires_at)
                    AND g.effective_at < p.period_end)
               OR EXISTS (
                  SELECT FROM invoice i
                  JOIN invoice_line l ON l.merchant_id = i.merchant_id AND l.invoice_id = i.id
                  WHERE i.merchant_id = g.merchant_id AND i.customer_id = g.customer_id
                    AND i.subscription_id = g.subscription_id AND i.status = 'draft'
                    AND l.metric_id = g.metric_id
                    AND l.period_start < COALESCE(e.expires_at, g.expires_at)
                    AND g.effective_at < l.period_end))
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["id"] for row in rows}


async def forget_ends(tx: Tx, ids: Sequence[GrantId]) -> None:
    """Forgets the ends of grants that have expired; credit that comes back to one is noted anew."""
    await tx.execute(
        "DELETE FROM credit_expiry WHERE merchant_id = $1 AND grant_id = ANY($2::text[])",
        tx.merchant_id,
        list(ids),
    )


async def list_merchants_with_lapsed(tx: Tx, until: datetime) -> list[str]:
    """The merchants who have grants whose time is over; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        "SELECT DISTINCT merchant_id FROM credit_expiry WHERE expires_at <= $1", until
    )
    return [row["merchant_id"] for row in rows]
