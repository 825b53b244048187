"""How invoice lines are written and read; nothing here decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx

from .line_json import (
    calculation_from_json,
    calculation_text,
    discounts_from_json,
    discounts_to_json,
    draws_from_json,
    draws_to_json,
    parts_from_json,
    parts_to_json,
)
from .model import Invoice, InvoiceLine, LineKind

LINE_COLUMNS = (
    "id",
    "invoice_id",
    "position",
    "kind",
    "description",
    "quantity",
    "unit_name",
    "unit_amount",
    "rated_amount",
    "amount",
    "subscription_id",
    "component_id",
    "price_id",
    "plan_version_id",
    "metric_id",
    "period_number",
    "period_start",
    "period_end",
    "source_line_id",
    "credit_applications",
    "usage_seen_at",
    "used_start",
    "used_end",
    "event_count",
    "parts",
    "discounts",
    "calculation",
)
_LINE_TYPES = {
    "position": "int",
    "period_number": "int",
    "quantity": "numeric",
    "unit_amount": "numeric",
    "rated_amount": "numeric",
    "amount": "numeric",
    "event_count": "numeric",
    "period_start": "timestamptz",
    "period_end": "timestamptz",
    "usage_seen_at": "timestamptz",
    "used_start": "timestamptz",
    "used_end": "timestamptz",
    "credit_applications": "jsonb",
    "parts": "jsonb",
    "discounts": "jsonb",
    "calculation": "jsonb",
}
"""Of the columns that are no text."""


async def insert_lines(tx: Tx, invoices: Sequence[Invoice]) -> None:
    """Stores all lines in one statement: the walls around finalized invoices are looked at once for all of them."""
    values = [
        _line_values(invoice, position, line)
        for invoice in invoices
        for position, line in enumerate(invoice.lines)
    ]
    if not values:
        return
    # JSON goes as text: the driver takes lists in a list for an array of two dimensions.
    arrays = ", ".join(
        f"${number}::{_LINE_TYPES.get(column, 'text').replace('jsonb', 'text')}[]"
        for number, column in enumerate(LINE_COLUMNS, 2)
    )
    columns = ", ".join(LINE_COLUMNS)
    chosen = ", ".join(f"u.{column}::{_LINE_TYPES.get(column, 'text')}" for column in LINE_COLUMNS)
    await tx.execute(
        f"""
        INSERT INTO invoice_line (merchant_id, {columns})
        SELECT $1, {chosen} FROM unnest({arrays}) AS u ({columns})
        """,
        tx.merchant_id,
        *(list(column) for column in zip(*values, strict=True)),
    )


def _line_values(invoice: Invoice, position: int, line: InvoiceLine) -> tuple[object, ...]:
    return (
        line.id,
        invoice.id,
        position,
        line.kind,
        line.description,
        line.quantity,
        line.unit_name,
        line.unit_amount,
        line.rated_amount,
        line.amount,
        invoice.subscription_id,
        line.component_id,
        line.price_id,
        line.plan_version_id,
        line.metric_id,
        line.period_number,
        line.period.start_at,
        line.period.end_at,
        line.source_line_id,
        json.dumps(draws_to_json(line.draws)),
        line.usage_seen_at,
        line.used_during.start_at if line.used_during else None,
        line.used_during.end_at if line.used_during else None,
        line.event_count,
        json.dumps(parts_to_json(line.parts)),
        json.dumps(discounts_to_json(line.discounts)),
        calculation_text(line.calculation),
    )


def line_from_row(row: Mapping[str, Any]) -> InvoiceLine:
    """A line from a row of LINE_COLUMNS."""
    return InvoiceLine(
        id=row["id"],
        kind=LineKind(row["kind"]),
        description=row["description"],
        quantity=row["quantity"],
        unit_name=row["unit_name"],
        unit_amount=row["unit_amount"],
        rated_amount=row["rated_amount"],
        amount=row["amount"],
        component_id=row["component_id"],
        price_id=row["price_id"],
        plan_version_id=row["plan_version_id"],
        metric_id=row["metric_id"],
        period_number=row["period_number"],
        period=Interval(row["period_start"], row["period_end"]),
        source_line_id=row["source_line_id"],
        draws=draws_from_json(row["credit_applications"]),
        usage_seen_at=row["usage_seen_at"],
        used_during=Interval(row["used_start"], row["used_end"]) if row["used_start"] else None,
        event_count=row["event_count"],
        parts=parts_from_json(row["parts"]),
        discounts=discounts_from_json(row["discounts"]),
        calculation=calculation_from_json(row["calculation"]),
    )


async def list_lines(tx: Tx, invoice_ids: Sequence[str]) -> dict[str, list[InvoiceLine]]:
    """The lines of these invoices, in their order; those without lines are absent."""
    found = await tx.fetch(
        f"""
        SELECT {", ".join(LINE_COLUMNS)} FROM invoice_line
        WHERE merchant_id = $1 AND invoice_id = ANY($2::text[])
        ORDER BY invoice_id, position
        """,
        tx.merchant_id,
        list(invoice_ids),
    )
    lines: dict[str, list[InvoiceLine]] = {}
    for row in found:
        lines.setdefault(row["invoice_id"], []).append(line_from_row(row))
    return lines
