"""Who sells to whom, and what tax an invoice has: by the first row of the table in TaxSettings (TAX-1, TAX-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .rates import half_up

SELLER = "DE"
RATES = {"DE": "19", "FR": "20", "US-CA": "7.25", "US-NY": "8.875", "GB": "20"}
"""By country, or country and region."""
NEXUS = ("CA",)
_EUROPE = ("DE", "FR", "AT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys, and where; `valid` is whether the tax id is a VAT id with the right check digits."""

    country: str = ""
    region: str = ""
    business_name: str = ""
    tax_id: str = ""
    valid: bool = False


BUYERS = (
    Buyer(country="DE"),
    Buyer(country="DE", tax_id="DE136695976", valid=True),
    Buyer(country="DE", business_name="Kerze GmbH"),
    Buyer(country="FR", tax_id="FR40303265045", valid=True),
    Buyer(country="FR", tax_id="FR41303265045"),
    Buyer(country="FR", business_name="Bougie SA"),
    Buyer(country="AT", business_name="Licht AG"),
    Buyer(country="US", region="CA", business_name="Candle Inc."),
    Buyer(country="US", region="NY", business_name="Wick Inc."),
    Buyer(country="GB", business_name="Taper Ltd"),
    Buyer(country="CH", business_name="Docht AG"),
    Buyer(business_name="Nowhere Ltd"),
)


@dataclass(frozen=True, slots=True)
class Tax:
    """How much, why, and whether the lines contain it."""

    amount: Decimal
    reason: str
    inclusive: bool


NO_TAX = Tax(Decimal(0), "", False)


def tax_on(subtotal: Decimal, digits: int, buyer: Buyer, *, inclusive: bool) -> Tax:
    """The tax of an invoice, rounded once, half up."""
    percent, reason = _rate(buyer)
    share = Fraction(percent) / (100 + Fraction(percent) if inclusive else 100)
    return Tax(half_up(Fraction(subtotal) * share, digits), reason, inclusive)


def _rate(buyer: Buyer) -> tuple[Decimal, str]:
    nothing = Decimal(0)
    if not buyer.tax_id and not buyer.business_name:
        return nothing, "b2c_tax_not_supported"
    if buyer.country == "US" and buyer.region not in NEXUS:
        return nothing, "no_us_nexus"
    reason = ""
    if buyer.country in _EUROPE and buyer.country != SELLER:
        if buyer.valid:
            return nothing, "reverse_charge"
        reason = "vat_id_invalid" if buyer.tax_id else "vat_id_missing"
    if not buyer.country:
        return nothing, "customer_country_unknown"
    for place in (f"{buyer.country}-{buyer.region}", buyer.country):
        if place in RATES:
            return Decimal(RATES[place]), reason
    return nothing, "no_tax_rate"
