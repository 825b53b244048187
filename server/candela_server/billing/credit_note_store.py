"""Every SQL text over credit notes and their numbers; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from .credit_note import (
    CreditedOfLine,
    CreditNote,
    CreditNoteId,
    CreditNoteLine,
    CreditNoteReason,
    Purpose,
    UsageTakenBack,
)
from .model import InvoiceId, LineId
from .tax_store import tax_from_row

_NOTE = """n.id, n.number, n.invoice_id, n.customer_id, i.currency, n.purpose, n.reason, n.memo,
           n.grant_id, n.created_at, n.unused_days_of, i.tax_percent, i.tax_reason, i.tax_name, i.tax_country,
           i.tax_region, i.tax_inclusive, n.usage_of, n.usage_quantity"""
_JOIN = """credit_note n JOIN invoice i
           ON i.merchant_id = n.merchant_id AND i.id = n.invoice_id"""


async def insert_credit_note(tx: Tx, note: CreditNote) -> None:
    """Stores a note with its lines."""
    await tx.execute(
        """
        INSERT INTO credit_note (merchant_id, id, number, invoice_id, customer_id, total, purpose,
                                 reason, memo, grant_id, created_at, unused_days_of, usage_of,
                                 usage_quantity)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        tx.merchant_id,
        note.id,
        note.number,
        note.invoice_id,
        note.customer_id,
        note.total,
        note.purpose,
        note.reason,
        note.memo,
        note.grant_id,
        note.created_at,
        note.unused_days_of,
        note.usage.line_id if note.usage else None,
        note.usage.quantity if note.usage else None,
    )
    await tx.executemany(
        """
        INSERT INTO credit_note_line (merchant_id, credit_note_id, position, invoice_line_id, amount,
                                      tax_amount)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (
                tx.merchant_id,
                note.id,
                position,
                line.invoice_line_id,
                line.amount,
                line.tax_amount,
            )
            for position, line in enumerate(note.lines)
        ],
    )


async def find_credit_note(tx: Tx, credit_note_id: CreditNoteId) -> CreditNote | None:
    """The note with its lines."""
    rows = await tx.fetch(
        f"SELECT {_NOTE} FROM {_JOIN} WHERE n.merchant_id = $1 AND n.id = $2",
        tx.merchant_id,
        credit_note_id,
    )
    found = await _with_lines(tx, rows)
    return found[0] if found else None


async def page_credit_notes(
    tx: Tx, *, invoice_id: str | None, limit: int, after: tuple[datetime, str] | None
) -> list[CreditNote]:
    """One page of notes by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_NOTE} FROM {_JOIN}
        WHERE n.merchant_id = $1 AND ($2::text IS NULL OR n.invoice_id = $2)
          AND ($3::timestamptz IS NULL OR (n.created_at, n.id) > ($3, $4))
        ORDER BY n.created_at, n.id LIMIT $5
        """,
        tx.merchant_id,
        invoice_id,
        after_at,
        after_id,
        limit,
    )
    return await _with_lines(tx, rows)


async def count_credit_notes(tx: Tx, invoice_id: InvoiceId) -> int:
    """How many notes correct an invoice, or give back usage that it billed, on whichever invoice."""
    count: int = await tx.fetchval(
        """
        SELECT count(*) FROM (
            SELECT id FROM credit_note WHERE merchant_id = $1 AND invoice_id = $2
            UNION
            SELECT n.id FROM invoice_line l
            JOIN credit_note n ON n.merchant_id = l.merchant_id AND n.usage_of = l.id
            WHERE l.merchant_id = $1 AND l.invoice_id = $2
        ) AS noted
        """,
        tx.merchant_id,
        invoice_id,
    )
    return count


async def sum_credited(tx: Tx, invoice_id: InvoiceId) -> tuple[dict[LineId, Decimal], Decimal]:
    """What all notes of an invoice took back of each line before tax, and their tax together."""
    rows = await tx.fetch(
        """
        SELECT l.invoice_line_id, sum(l.amount) AS amount, sum(l.tax_amount) AS tax_amount
        FROM credit_note_line l
        JOIN credit_note n ON n.merchant_id = l.merchant_id AND n.id = l.credit_note_id
        WHERE l.merchant_id = $1 AND n.invoice_id = $2
        GROUP BY l.invoice_line_id
        """,
        tx.merchant_id,
        invoice_id,
    )
    amounts = {LineId(row["invoice_line_id"]): row["amount"] for row in rows}
    return amounts, sum((row["tax_amount"] for row in rows), Decimal(0))


async def sum_credited_of_lines(tx: Tx, ids: Sequence[LineId]) -> dict[LineId, CreditedOfLine]:
    """What notes took back of these lines and of their days, before tax; only those of which they did."""
    rows = await tx.fetch(
        """
        SELECT invoice_line_id, sum(for_days) AS for_days, sum(otherwise) AS otherwise
        FROM (
            SELECT n.unused_days_of AS invoice_line_id, l.amount AS for_days, 0 AS otherwise
            FROM credit_note n
            JOIN credit_note_line l ON l.merchant_id = n.merchant_id AND l.credit_note_id = n.id
            WHERE n.merchant_id = $1 AND n.unused_days_of = ANY($2::text[])
            UNION ALL
            SELECT l.invoice_line_id, 0, l.amount
            FROM credit_note_line l
            JOIN credit_note n ON n.merchant_id = l.merchant_id AND n.id = l.credit_note_id
            WHERE l.merchant_id = $1 AND l.invoice_line_id = ANY($2::text[])
              AND n.unused_days_of IS NULL AND n.usage_of IS NULL
        ) AS credited
        GROUP BY invoice_line_id
        """,
        tx.merchant_id,
        list(ids),
    )
    return {
        LineId(row["invoice_line_id"]): CreditedOfLine(
            for_days=row["for_days"], otherwise=row["otherwise"]
        )
        for row in rows
    }


async def _with_lines(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[CreditNote]:
    if not rows:
        return []
    found = await tx.fetch(
        """
        SELECT credit_note_id, invoice_line_id, amount, tax_amount FROM credit_note_line
        WHERE merchant_id = $1 AND credit_note_id = ANY($2::text[])
        ORDER BY credit_note_id, position
        """,
        tx.merchant_id,
        [row["id"] for row in rows],
    )
    lines: dict[str, list[CreditNoteLine]] = {}
    for row in found:
        lines.setdefault(row["credit_note_id"], []).append(
            CreditNoteLine(
                invoice_line_id=LineId(row["invoice_line_id"]),
                amount=row["amount"],
                tax_amount=row["tax_amount"],
            )
        )
    return [_note_from_row(row, lines.get(row["id"], [])) for row in rows]


def _note_from_row(row: Mapping[str, Any], lines: Sequence[CreditNoteLine]) -> CreditNote:
    return CreditNote(
        id=row["id"],
        number=row["number"],
        invoice_id=row["invoice_id"],
        customer_id=row["customer_id"],
        currency=row["currency"],
        tax=tax_from_row(row),
        lines=tuple(lines),
        purpose=Purpose(row["purpose"]),
        reason=CreditNoteReason(row["reason"]),
        memo=row["memo"],
        grant_id=row["grant_id"],
        created_at=row["created_at"],
        unused_days_of=row["unused_days_of"],
        usage=(UsageTakenBack(row["usage_of"], row["usage_quantity"]) if row["usage_of"] else None),
    )
