"""How invoices are numbered (INV-4)."""

from __future__ import annotations

_DIGITS = 6


def invoice_number(prefix: str, ordinal: int) -> str:
    """The number of a merchant's so-manieth invoice, counted from 1: "INV-000042"."""
    if ordinal < 1:
        raise ValueError(f"invoices are counted from 1, not {ordinal}")
    return f"{prefix}{ordinal:0{_DIGITS}d}"
