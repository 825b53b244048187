"""What an invoice or a credit note shows, as final texts: nothing is computed or rounded after this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from candela_server.billing.credit_note import CreditNote, Purpose
from candela_server.billing.model import Invoice, InvoiceLine, InvoiceStatus, TaxTerms
from candela_server.kernel.money import Money

from .line_workings import money_of, workings_of
from .tax_texts import tax_label, tax_notes
from .words import number_of

_LONG_WORD: Final = re.compile(r"\S{25,}")
_LONG_QUANTITY: Final = re.compile(r"\S{17,}")
_LONG_PRICE: Final = re.compile(r"\S{14,}")
_USES: Final = {
    Purpose.REDUCE_DUE: "It lowers what is due.",
    Purpose.CREDIT_BALANCE: "It is kept on your account and pays for later invoices.",
    Purpose.REFUND: "It is paid back.",
}
NOTHING: Final = Decimal(0)
_MAY_BREAK: Final = "\u200b"
"""A zero-width space: a word longer than its column may be broken here."""


def invoice_texts(invoice: Invoice, *, from_account: Decimal) -> dict[str, Any]:
    """A finalized invoice as it was sent."""
    assert invoice.finalized_at is not None, "only drafts have no instant of finalization"
    zone = ZoneInfo(invoice.time_zone)
    return {
        "kind": "Invoice",
        "title": f"Invoice {invoice.number}",
        "number": invoice.number,
        "stamp": "VOID" if invoice.status is InvoiceStatus.VOID else "",
        "facts": [
            ["Issued", _day(invoice.finalized_at, zone)],
            ["Due", _day(invoice.due_at or invoice.finalized_at, zone)],
        ],
        **_parties(invoice),
        "lines": [
            {
                "description": _breakable(line.description),
                "details": _details(line, invoice.currency),
                "quantity": _breakable(
                    f"{number_of(line.quantity)} {line.unit_name}".strip(), _LONG_QUANTITY
                ),
                "unit_price": _unit_price(line.unit_amount, invoice.currency),
                "amount": _grouped(line.amount, invoice.currency),
            }
            for line in invoice.lines
        ],
        "sums": [
            _sum(_base_label(invoice.tax), invoice.tax_base, invoice.currency),
            _sum(_breakable(tax_label(invoice.tax)), invoice.tax_amount, invoice.currency),
            _sum(f"Total {invoice.currency}", invoice.total, invoice.currency, strong=True),
            *(
                [_sum("Paid from your account", -from_account, invoice.currency)]
                if from_account
                else []
            ),
            _sum("Amount due", invoice.total - from_account, invoice.currency),
        ],
        "notes": [
            f"All times are in {invoice.time_zone}.",
            *tax_notes(invoice.tax),
        ],
    }


def credit_note_texts(note: CreditNote, invoice: Invoice) -> dict[str, Any]:
    """A credit note, with the parties and the line texts of the invoice that it corrects."""
    zone = ZoneInfo(invoice.time_zone)
    described = {line.id: line.description for line in invoice.lines}
    return {
        "kind": "Credit note",
        "title": f"Credit note {note.number}",
        "number": note.number,
        "stamp": "",
        "facts": [["Issued", _day(note.created_at, zone)], ["Corrects", invoice.number]],
        **_parties(invoice),
        "lines": [
            {
                "description": _breakable(described[line.invoice_line_id]),
                "details": [],
                "quantity": "",
                "unit_price": "",
                "amount": _grouped(-line.amount, note.currency),
            }
            for line in note.lines
        ],
        "sums": [
            _sum(_base_label(note.tax), note.tax_amount - note.total, note.currency),
            _sum(_breakable(tax_label(note.tax)), -note.tax_amount, note.currency),
            _sum(f"Credited {note.currency}", -note.total, note.currency, strong=True),
        ],
        "notes": [
            _USES[note.purpose],
            f"All times are in {invoice.time_zone}.",
            *tax_notes(note.tax),
            *([_breakable(note.memo)] if note.memo else []),
        ],
    }


def _details(line: InvoiceLine, currency: str) -> list[str]:
    """How it is computed, and which grants paid, so that the customer can find them again."""
    return [
        *(_breakable(step) for step in workings_of(line, currency)),
        *(f"{number_of(draw.amount)} from {draw.grant_id}" for draw in line.draws),
    ]


def _sum(label: str, amount: Decimal, currency: str, *, strong: bool = False) -> dict[str, Any]:
    return {"label": label, "amount": _grouped(amount, currency), "strong": strong}


def _base_label(tax: TaxTerms) -> str:
    """Base and tax add up to the total; lines that contain the tax add up to the total, not to the base."""
    return "Total before tax" if tax.inclusive else "Subtotal"


def _unit_price(amount: Decimal | None, currency: str) -> str:
    """The exact price of one unit, with at least the currency's own places: 0.20, 0.0004."""
    return "" if amount is None else _breakable(money_of(amount, currency), _LONG_PRICE)


def _grouped(value: Decimal, currency: str) -> str:
    """The amount with as many places as the currency has, and thousands apart: 1,365.00."""
    text = Money(currency=currency, amount=value).rounded().text
    whole, point, fraction = text.partition(".")
    sign = "−" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{point}{fraction}"


def _day(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def _parties(invoice: Invoice) -> dict[str, Any]:
    return {
        "seller": _party(invoice.seller or {"name": ""}),
        "buyer": _party(invoice.buyer or {"name": ""}),
    }


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
    return {"name": _breakable(party["name"]), "lines": [_breakable(one) for one in lines if one]}


def _breakable(text: str, long: re.Pattern[str] = _LONG_WORD) -> str:
    """The text, with places to break words that no column is wide enough for."""
    return long.sub(lambda word: _MAY_BREAK.join(word[0]), text)
