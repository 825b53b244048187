"""How invoices and credit notes are numbered (INV-4)."""

from __future__ import annotations

from typing import Final

from candela_server.merchant.model import CREDIT_NOTE_NUMBER_PREFIX

_DIGITS: Final = 6


def invoice_number(prefix: str, ordinal: int) -> str:
    """The number of a merchant's so-manieth invoice, counted from 1: "INV-000042"."""
    return _number(prefix, ordinal)


def credit_note_number(ordinal: int) -> str:
    """The number of a merchant's so-manieth credit note, of a series of its own: "CN-000007"."""
    return _number(CREDIT_NOTE_NUMBER_PREFIX, ordinal)


def _number(prefix: str, ordinal: int) -> str:
    if ordinal < 1:
        raise ValueError(f"documents are counted from 1, not {ordinal}")
    return f"{prefix}{ordinal:0{_DIGITS}d}"
