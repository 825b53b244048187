"""Draws a finalized invoice as PDF, the same bytes every time (INV-1).

The template holds no arithmetic: every amount arrives as the text that the invoice shows. typst is used because it
needs neither a browser nor system fonts, and takes some ten milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import typst

from candela_server.kernel.currency import minor_digits
from candela_server.kernel.money import Money, format_decimal

from .model import Invoice
from .rules.invoice_states import InvoiceAct, after
from .rules.tax import B2C_NOT_SUPPORTED, NOT_CONFIGURED

_NOTES = {
    B2C_NOT_SUPPORTED: "No tax is charged, as no tax id or business name of the buyer is known "
    f"({B2C_NOT_SUPPORTED}).",
    NOT_CONFIGURED: f"No tax is charged ({NOT_CONFIGURED}).",
}


def render_pdf(invoice: Invoice) -> bytes:
    """The PDF of a finalized invoice. Raises InvoiceTransitionRefusedError for drafts.

    Takes some ten milliseconds of processor time: call it in a thread.
    """
    after(invoice, InvoiceAct.RENDER)
    assert invoice.finalized_at is not None, "only drafts have no instant of finalization"
    template = resources.files(__package__).joinpath("invoice.typ").read_bytes()
    return typst.compile(
        template,
        format="pdf",
        sys_inputs={"invoice": json.dumps(_texts(invoice, invoice.finalized_at))},
        ignore_system_fonts=True,
        # The document's own date would otherwise be that of the rendering, and the bytes would differ.
        timestamp=int(invoice.finalized_at.timestamp()),
    )


def _texts(invoice: Invoice, finalized_at: datetime) -> dict[str, Any]:
    zone = ZoneInfo(invoice.time_zone)

    def amount(value: Decimal) -> str:
        money = Money(currency=invoice.currency, amount=value).rounded()
        return _grouped(money)

    return {
        "title": f"Invoice {invoice.number}",
        "number": invoice.number,
        "issued": _day(finalized_at, zone),
        "due": _day(invoice.due_at or finalized_at, zone),
        "currency": invoice.currency,
        "time_zone": invoice.time_zone,
        "seller": _party(invoice.seller or {"name": ""}),
        "buyer": _party(invoice.buyer or {"name": ""}),
        "lines": [
            {
                "description": line.description,
                "quantity": f"{Decimal(format_decimal(line.quantity)):,} {line.unit_name}".strip(),
                "unit_price": _unit_price(line.unit_amount, invoice.currency),
                "amount": amount(line.amount),
            }
            for line in invoice.lines
        ],
        "subtotal": amount(invoice.subtotal),
        "tax_label": f"Tax {format_decimal(invoice.tax_percent)} %",
        "tax": amount(invoice.tax_amount),
        "total": amount(invoice.total),
        "amount_due": amount(invoice.amount_due),
        "note": _NOTES.get(invoice.tax_reason, ""),
    }


def _unit_price(amount: Decimal | None, currency: str) -> str:
    """The exact price of one unit, with at least the currency's own places: 0.20, 0.0004."""
    if amount is None:
        return ""
    return format_decimal(amount, min_places=minor_digits(currency))


def _grouped(money: Money) -> str:
    """The amount with as many places as the currency has, and thousands apart: 1,365.00."""
    text = money.text.split(" ")[0]
    whole, point, fraction = text.partition(".")
    sign = "−" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{point}{fraction}"


def _day(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def _party(party: Mapping[str, Any]) -> dict[str, Any]:
    address = party.get("address") or {}
    place = " ".join(
        part
        for part in (address.get("postal_code"), address.get("city"), address.get("region"))
        if part
    )
    lines = [
        party.get("business_name"),
        *address.get("lines", []),
        place,
        address.get("country"),
        f"Tax id {party['tax_id']}" if party.get("tax_id") else None,
        party.get("email"),
    ]
    return {"name": party["name"], "lines": [line for line in lines if line]}
