"""What documents say of a tax: its name, its rate, whose it is, and why it is that one (TAX-1, TAX-2)."""

from __future__ import annotations

from typing import Final

from candela_server.billing.model import TaxTerms
from candela_server.kernel.money import format_decimal

from .tax import (
    B2C_NOT_SUPPORTED,
    CUSTOMER_COUNTRY_UNKNOWN,
    NO_TAX_RATE,
    NO_US_NEXUS,
    NOT_CONFIGURED,
    REVERSE_CHARGE,
    US_STATE_UNKNOWN,
    VAT_ID_INVALID,
    VAT_ID_MISSING,
)

_NOTES: Final = {
    B2C_NOT_SUPPORTED: "No tax is charged, as no tax id or business name of the buyer is known",
    NOT_CONFIGURED: "No tax is charged",
    NO_US_NEXUS: "No tax is charged, as the seller has no nexus in the buyer's state",
    US_STATE_UNKNOWN: "No tax is charged, as the buyer's state is not known",
    REVERSE_CHARGE: "Reverse charge: the buyer accounts for the VAT (Directive 2006/112/EC, article 196)",
    CUSTOMER_COUNTRY_UNKNOWN: "No tax is charged, as the buyer's country is not known",
    NO_TAX_RATE: "No tax is charged, as no rate is set for where the buyer is",
    VAT_ID_MISSING: "Tax is charged, as no VAT id of the buyer is known",
    VAT_ID_INVALID: "Tax is charged, as the buyer's tax id is not a valid VAT id of the buyer's country",
}


def tax_label(tax: TaxTerms) -> str:
    """The tax line's own words: "VAT 19 % (DE)"."""
    place = "-".join(one for one in (tax.country, tax.region) if one)
    rate = f"{tax.name or 'Tax'} {format_decimal(tax.percent)} %"
    return f"{rate} ({place})" if place else rate


def tax_notes(tax: TaxTerms) -> list[str]:
    """Why the tax is what it is, and that the lines contain it, where there is something to say."""
    notes = [f"{_NOTES[tax.reason]} ({tax.reason})."] if tax.reason in _NOTES else []
    return [*notes, "The amounts of the lines contain the tax."] if tax.inclusive else notes
