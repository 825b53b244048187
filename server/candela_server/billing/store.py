"""Every SQL text over invoices; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.merchant.model import TestClockId
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from . import line_store
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus
from .tax_store import tax_from_row

_INVOICE = """id, number, customer_id, subscription_id, test_clock_id, status, currency, time_zone,
              tax_percent, tax_amount, tax_reason, tax_name, tax_country, tax_region, tax_inclusive,
              amount_due, created_at, finalizes_at, finalized_at, due_at, ended_at, seller, buyer"""


async def insert_invoices(tx: Tx, invoices: Sequence[Invoice]) -> None:
    """Stores new invoices with their lines.

    A line whose component and period are billed already violates invoice_line_once, which undoes the whole
    transaction: that is the second wall behind the locks of the claim (INV-2).
    """
    await tx.executemany(
        """
        INSERT INTO invoice (merchant_id, id, number, customer_id, subscription_id, test_clock_id,
                             status, currency, time_zone, subtotal, tax_percent, tax_amount,
                             tax_reason, total, amount_due, created_at, finalizes_at, finalized_at,
                             due_at, ended_at, seller, buyer, tax_name, tax_country, tax_region,
                             tax_inclusive)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                $20, $21, $22, $23, $24, $25, $26)
        """,
        [
            (
                tx.merchant_id,
                one.id,
                one.number,
                one.customer_id,
                one.subscription_id,
                one.test_clock_id,
                one.status,
                one.currency,
                one.time_zone,
                one.subtotal,
                one.tax.percent,
                one.tax_amount,
                one.tax.reason,
                one.total,
                one.amount_due,
                one.created_at,
                one.finalizes_at,
                one.finalized_at,
                one.due_at,
                one.ended_at,
                one.seller,
                one.buyer,
                one.tax.name,
                one.tax.country,
                one.tax.region,
                one.tax.inclusive,
            )
            for one in invoices
        ],
    )
    await line_store.insert_lines(tx, invoices)


async def replace_drafts(tx: Tx, invoices: Sequence[Invoice]) -> None:
    """Writes drafts anew, lines and all; the last time with their numbers."""
    await tx.execute(
        "DELETE FROM invoice_line WHERE merchant_id = $1 AND invoice_id = ANY($2::text[])",
        tx.merchant_id,
        [one.id for one in invoices],
    )
    await line_store.insert_lines(tx, invoices)
    await tx.executemany(
        """
        UPDATE invoice
        SET number = $3, status = $4, subtotal = $5, tax_percent = $6, tax_amount = $7,
            tax_reason = $8, total = $9, amount_due = $10, finalizes_at = $11, finalized_at = $12,
            due_at = $13, ended_at = $14, seller = $15, buyer = $16, tax_name = $17,
            tax_country = $18, tax_region = $19, tax_inclusive = $20
        WHERE merchant_id = $1 AND id = $2
        """,
        [
            (
                tx.merchant_id,
                one.id,
                one.number,
                one.status,
                one.subtotal,
                one.tax.percent,
                one.tax_amount,
                one.tax.reason,
                one.total,
                one.amount_due,
                one.finalizes_at,
                one.finalized_at,
                one.due_at,
                one.ended_at,
                one.seller,
                one.buyer,
                one.tax.name,
                one.tax.country,
                one.tax.region,
                one.tax.inclusive,
            )
            for one in invoices
        ],
    )


async def find_invoice(tx: Tx, invoice_id: InvoiceId, *, lock: bool = False) -> Invoice | None:
    """The invoice with its lines; locked until commit when asked."""
    rows = await tx.fetch(
        f"""
        SELECT {_INVOICE} FROM invoice WHERE merchant_id = $1 AND id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        invoice_id,
    )
    found = await _with_lines(tx, rows)
    return found[0] if found else None


async def page_invoices(
    tx: Tx,
    *,
    customer_id: str | None,
    subscription_id: str | None,
    statuses: Sequence[InvoiceStatus],
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[Invoice]:
    """One page of invoices by (created_at, id); each status by its own walk along the index."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_INVOICE} FROM unnest(CASE WHEN cardinality($4::text[]) = 0 THEN ARRAY[NULL]
                                      ELSE $4::text[] END) AS wanted (one_status)
        CROSS JOIN LATERAL (
            SELECT * FROM invoice
            WHERE merchant_id = $1
              AND ($2::text IS NULL OR customer_id = $2)
              AND ($3::text IS NULL OR subscription_id = $3)
              AND (cardinality($4::text[]) = 0 OR status = one_status)
              AND ($5::timestamptz IS NULL OR (created_at, id) > ($5, $6))
            ORDER BY created_at, id LIMIT $7
        ) AS invoice
        ORDER BY created_at, id LIMIT $7
        """,
        tx.merchant_id,
        customer_id,
        subscription_id,
        sorted(set(statuses)),
        after_at,
        after_id,
        limit,
    )
    return await _with_lines(tx, rows)


async def lock_drafts_to_finalize(
    tx: Tx,
    *,
    until: datetime,
    test_clock_id: TestClockId | None,
    limit: int,
    passing_by: Sequence[str] = (),
) -> list[Invoice]:
    """Locks drafts whose grace is over, oldest first, passing by those named and those that another worker holds."""
    rows = await tx.fetch(
        f"""
        SELECT {_INVOICE} FROM invoice
        WHERE merchant_id = $1 AND status = 'draft' AND finalizes_at <= $2
          AND test_clock_id IS NOT DISTINCT FROM $3
          AND id <> ALL($5::text[])
        ORDER BY finalizes_at, id LIMIT $4
        FOR UPDATE SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        test_clock_id,
        limit,
        list(passing_by),
    )
    return await _with_lines(tx, rows)


async def next_finalization_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When the next draft on a test clock is finalized."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(finalizes_at) FROM invoice
        WHERE merchant_id = $1 AND test_clock_id = $2 AND status = 'draft'
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_drafts(tx: Tx, until: datetime) -> list[str]:
    """The merchants who have drafts to finalize in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM invoice
        WHERE status = 'draft' AND test_clock_id IS NULL AND finalizes_at <= $1
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]


async def count_invoices_since(
    tx: Tx, customer_ids: Sequence[str], since: datetime
) -> dict[str, int]:
    """How many invoices each customer got since an instant, and since it was released from a safety bound."""
    rows = await tx.fetch(
        """
        SELECT i.customer_id, count(*) AS invoices
        FROM invoice i
        LEFT JOIN billing_release r ON r.merchant_id = i.merchant_id AND r.customer_id = i.customer_id
        WHERE i.merchant_id = $1 AND i.customer_id = ANY($2::text[]) AND i.created_at >= $3
          AND i.id > COALESCE(r.last_invoice_id, '')
        GROUP BY i.customer_id
        """,
        tx.merchant_id,
        list(customer_ids),
        since,
    )
    return {row["customer_id"]: row["invoices"] for row in rows}


async def _with_lines(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[Invoice]:
    if not rows:
        return []
    lines = await line_store.list_lines(tx, [row["id"] for row in rows])
    return [_invoice_from_row(row, lines.get(row["id"], [])) for row in rows]


def _invoice_from_row(row: Mapping[str, Any], lines: Sequence[InvoiceLine]) -> Invoice:
    return Invoice(
        id=row["id"],
        number=row["number"],
        customer_id=row["customer_id"],
        subscription_id=row["subscription_id"],
        test_clock_id=row["test_clock_id"],
        status=InvoiceStatus(row["status"]),
        currency=row["currency"],
        time_zone=row["time_zone"],
        lines=tuple(lines),
        tax=tax_from_row(row),
        tax_amount=row["tax_amount"],
        amount_due=row["amount_due"],
        created_at=row["created_at"],
        finalizes_at=row["finalizes_at"],
        finalized_at=row["finalized_at"],
        due_at=row["due_at"],
        ended_at=row["ended_at"],
        seller=row["seller"],
        buyer=row["buyer"],
    )
