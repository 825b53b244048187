"""Draws invoices and credit notes as PDF, the same bytes every time (INV-1, INV-6).

The template, document.typ, holds no arithmetic: every amount arrives as the text that it shows. typst is used because
it needs neither a browser nor system fonts, and takes some ten milliseconds. The fonts come from wheels (SIL Open Font
License), so that a bare machine draws Arabic, Chinese or Devanagari names like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import typst

from .credit_note import CreditNote
from .model import Invoice
from .rules.document_texts import NOTHING, credit_note_texts, invoice_texts
from .rules.invoice_states import InvoiceAct, after

_FONT_PACKAGES = ("manimgx_fonts", "noto_cjk_sans_otc")
_FONTS = (
    "Noto Sans",
    *(f"Noto Sans {script}" for script in ("Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil")),
    *(f"Noto Sans {script}" for script in ("Telugu", "Kannada", "Malayalam", "Gujarati")),
    *(f"Noto Sans {script}" for script in ("Gurmukhi", "Oriya", "Sinhala", "Thai", "Lao")),
    *(f"Noto Sans {script}" for script in ("Khmer", "Myanmar", "Georgian", "Armenian", "Ethiopic")),
)
# Han characters look different by country; the buyer's decides.
_HAN = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}
_LAST = ("Noto Sans Symbols", "Noto Emoji")


def render_pdf(invoice: Invoice, *, from_account: Decimal = NOTHING) -> bytes:
    """The PDF of a finalized invoice. Raises InvoiceTransitionRefusedError for drafts.

    `from_account` is what credit on account paid of it when it was finalized. What happened to the
    invoice since then is not on it, except that a void one says so. Takes some ten milliseconds of processor time:
    call it in a thread.
    """
    after(invoice, InvoiceAct.RENDER)
    assert invoice.finalized_at is not None, "only drafts have no instant of finalization"
    return _compile(
        invoice_texts(invoice, from_account=from_account),
        invoice,
        # The document's own date would otherwise be that of the rendering, and the bytes would differ.
        int(invoice.finalized_at.timestamp()),
    )


def render_credit_note_pdf(note: CreditNote, invoice: Invoice) -> bytes:
    """The PDF of a credit note, with the invoice that it corrects; call it in a thread."""
    return _compile(credit_note_texts(note, invoice), invoice, int(note.created_at.timestamp()))


def sources_of(texts: Mapping[str, Any], invoice: Invoice) -> dict[str, Any]:
    """What typst draws a document from: the template, its fonts, and what it says."""
    address = (invoice.buyer or {}).get("address") or {}
    han = f"Noto Sans CJK {_HAN.get(address.get('country', ''), 'SC')}"
    return {
        "input": resources.files(__package__).joinpath("document.typ").read_bytes(),
        "font_paths": _fonts(),
        "sys_inputs": {"document": json.dumps({**texts, "fonts": [*_FONTS, han, *_LAST]})},
    }


def _compile(texts: Mapping[str, Any], invoice: Invoice, timestamp: int) -> bytes:
    pdf: bytes = typst.compile(**sources_of(texts, invoice), format="pdf", timestamp=timestamp)
    return pdf


@cache
def _fonts() -> typst.Fonts:
    """The fonts of the wheels and of typst itself, read once in a process's life; never the machine's."""
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(resources.files(package)) for package in _FONT_PACKAGES],
    )
