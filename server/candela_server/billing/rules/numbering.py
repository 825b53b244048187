"""How invoices and credit notes are numbered (INV-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.time_zone import local_date
from candela_server.merchant.model import CREDIT_NOTE_NUMBER_PREFIX, Merchant
from candela_server.merchant.numbering import NumberingReset, NumberingScheme, Series


def scheme_of(seller: Merchant, series: Series) -> NumberingScheme:
    """How the merchant counts the documents of a series."""
    if series is Series.INVOICE:
        return seller.settings.invoice_numbering
    return seller.settings.credit_note_numbering


def counted_year(seller: Merchant, series: Series, at: datetime) -> int | None:
    """The civil year whose count a document of this instant belongs to; None of one count for ever."""
    if scheme_of(seller, series).reset is NumberingReset.NEVER:
        return None
    return local_date(at, seller.time_zone).year


def document_numbers(
    seller: Merchant, series: Series, year: int | None, ordinals: Sequence[int]
) -> list[str]:
    """The numbers of documents that are counted from 1: "INV-000042", "CN-000007", and of a year "INV-2027-000042"."""
    prefix = (
        seller.settings.invoice_number_prefix
        if series is Series.INVOICE
        else CREDIT_NOTE_NUMBER_PREFIX
    )
    if year is not None:
        prefix += f"{year}-"
    digits = scheme_of(seller, series).digits
    return [f"{prefix}{_counted(ordinal):0{digits}d}" for ordinal in ordinals]


def _counted(ordinal: int) -> int:
    if ordinal < 1:
        raise ValueError(f"documents are counted from 1, not {ordinal}")
    return ordinal
