"""Every SQL text over credit transactions, of which each balance is the sum, and over what drafts will draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.kernel.interval import Interval
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx, check_violation

from .model import CreditTransaction, GrantId, GrantSpentMeanwhileError, Taken, TransactionKind


async def insert_transactions(tx: Tx, transactions: Sequence[CreditTransaction]) -> None:
    """Posts changes of balances; one that was posted for the same line or life before is left out.

    Raises GrantSpentMeanwhileError when a balance would fall below zero.
    """
    # In one order, so that two transactions never wait for each other's grants.
    ordered = sorted(transactions, key=lambda one: one.grant_id)
    try:
        await tx.execute(
            """
            INSERT INTO credit_transaction (merchant_id, id, grant_id, kind, amount,
                                            invoice_line_id, reason, at)
            SELECT $1, u.*
            FROM unnest($2::text[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::text[],
                        $8::timestamptz[]) AS u
            ON CONFLICT DO NOTHING
            """,
            tx.merchant_id,
            [one.id for one in ordered],
            [one.grant_id for one in ordered],
            [one.kind for one in ordered],
            [one.amount for one in ordered],
            [one.invoice_line_id for one in ordered],
            [one.reason for one in ordered],
            [one.at for one in ordered],
        )
    except Exception as error:
        if check_violation(error) == "credit_grant_balance_not_negative":
            raise GrantSpentMeanwhileError from error
        raise


async def sum_granted(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What was granted, adjusted and revoked of each grant, in all."""
    rows = await tx.fetch(
        """
        SELECT grant_id, sum(amount) AS amount FROM credit_transaction
        WHERE merchant_id = $1 AND grant_id = ANY($2::text[]) AND kind IN ('grant', 'adjust', 'revoke')
        GROUP BY grant_id
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["grant_id"]: row["amount"] for row in rows}


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


async def sum_expired(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What expired of each grant, in all; those of which nothing did are absent."""
    rows = await tx.fetch(
        """
        SELECT grant_id, -sum(amount) AS amount FROM credit_transaction
        WHERE merchant_id = $1 AND grant_id = ANY($2::text[]) AND kind = 'expire'
        GROUP BY grant_id
        """,
        tx.merchant_id,
        list(grant_ids),
    )
    return {row["grant_id"]: row["amount"] for row in rows}


async def sum_still_expired(
    tx: Tx, grant_ids: Sequence[GrantId], *, restored_by: str
) -> dict[GrantId, Decimal]:
    """What expired of each of these grants, less what was restored for this reason; those with none are absent."""
    rows = await tx.fetch(
        """
        SELECT grant_id, -sum(amount) AS amount FROM credit_transaction
        WHERE merchant_id = $1 AND grant_id = ANY($2::text[])
          AND (kind = 'expire' OR (kind = 'restore' AND invoice_line_id IS NULL AND reason = $3))
        GROUP BY grant_id HAVING sum(amount) < 0
        """,
        tx.merchant_id,
        list(grant_ids),
        restored_by,
    )
    return {row["grant_id"]: row["amount"] for row in rows}


async def sum_moved_by_lines(
    tx: Tx, grant_ids: Sequence[GrantId], line_ids: Sequence[str]
) -> dict[GrantId, Decimal]:
    """What these invoice lines together moved in each of these grants; those that come out even are absent."""
    rows = await tx.fetch(
        """
        SELECT grant_id, sum(amount) AS amount FROM credit_transaction
        WHERE merchant_id = $1 AND grant_id = ANY($2::text[]) AND invoice_line_id = ANY($3::text[])
        GROUP BY grant_id HAVING sum(amount) <> 0
        """,
        tx.merchant_id,
        list(grant_ids),
        list(line_ids),
    )
    return {row["grant_id"]: row["amount"] for row in rows}


async def list_promised(tx: Tx, customer_ids: Sequence[str]) -> dict[GrantId, list[Taken]]:
    """What drafts of the customers' invoices will draw from their grants, by the lines' periods."""
    rows = await tx.fetch(
        """
        SELECT grant_id, period_start, period_end, sum(amount) AS amount FROM credit_promised
        WHERE merchant_id = $1 AND customer_id = ANY($2::text[])
        GROUP BY grant_id, period_start, period_end ORDER BY grant_id, period_start, period_end
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    return _by_grant(rows)


async def list_drawn_by_lines(
    tx: Tx, since: Mapping[GrantId, datetime]
) -> dict[GrantId, list[Taken]]:
    """What invoice lines of periods that end after an instant of each grant took from it, by these periods."""
    # Nothing is drawn for usage before it happened.
    rows = await tx.fetch(
        """
        SELECT d.grant_id, d.period_start, d.period_end, sum(d.amount) AS amount
        FROM unnest($2::text[], $3::timestamptz[]) AS asked (grant_id, since)
        JOIN credit_drawn_by_line d
          ON d.grant_id = asked.grant_id AND d.at >= asked.since AND d.period_end > asked.since
        WHERE d.merchant_id = $1
        GROUP BY d.grant_id, d.period_start, d.period_end HAVING sum(d.amount) <> 0
        """,
        tx.merchant_id,
        list(since),
        list(since.values()),
    )
    return _by_grant(rows)


def _by_grant(rows: Iterable[Mapping[str, Any]]) -> dict[GrantId, list[Taken]]:
    found: dict[GrantId, list[Taken]] = {}
    for row in rows:
        period = Interval(row["period_start"], row["period_end"])
        found.setdefault(GrantId(row["grant_id"]), []).append(
            Taken(period=period, amount=row["amount"])
        )
    return found


async def page_transactions(
    tx: Tx,
    customer_id: str,
    *,
    grant_id: str | None,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[CreditTransaction]:
    """One page of a customer's credit transactions by (at, id)."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        """
        SELECT t.id, t.grant_id, t.kind, t.amount, t.invoice_line_id, t.reason, t.at
        FROM credit_transaction t
        JOIN credit_grant g ON g.merchant_id = t.merchant_id AND g.id = t.grant_id
        WHERE t.merchant_id = $1 AND g.customer_id = $2 AND ($3::text IS NULL OR t.grant_id = $3)
          AND ($4::timestamptz IS NULL OR (t.at, t.id) > ($4, $5))
        ORDER BY t.at, t.id LIMIT $6
        """,
        tx.merchant_id,
        customer_id,
        grant_id,
        after_at,
        after_id,
        limit,
    )
    return [
        CreditTransaction(
            id=row["id"],
            grant_id=row["grant_id"],
            kind=TransactionKind(row["kind"]),
            amount=row["amount"],
            invoice_line_id=row["invoice_line_id"],
            reason=row["reason"],
            at=row["at"],
        )
        for row in rows
    ]
