"""How much tax an invoice carries, and which part of it belongs to which line (TAX-2, INV-8).

The base is the sum of the lines, after discounts and credits. The tax of the whole invoice is rounded once, half up, to
the currency's minor unit: three lines of 10.03 at 20 % carry 6.02, not three times 2.01. Lines show their parts of it,
dealt out by largest remainder, so that the parts add up to the tax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from candela_server.billing.model import Invoice, LineId, TaxTerms
from candela_server.billing.tax_settings import TaxSettings
from candela_server.customer.model import Customer
from candela_server.kernel.money import Money, rounded_fraction

from .credited import creditable
from .tax import tax_for


def taxed(invoice: Invoice, buyer: Customer, settings: TaxSettings) -> Invoice:
    """The draft with the tax of its lines, by what is set and known of the buyer now; all of its total is due."""
    terms = tax_for(buyer, settings)
    amount = tax_on(invoice.currency, invoice.subtotal, terms)
    priced = replace(invoice, tax=terms, tax_amount=amount)
    return replace(priced, amount_due=priced.total)


def tax_on(currency: str, subtotal: Decimal, terms: TaxTerms) -> Decimal:
    """The tax on lines that come to `subtotal`, or in them when they contain it."""
    rate = Fraction(terms.percent) / 100
    share = rate / (1 + rate) if terms.inclusive else rate
    return rounded_fraction(currency, Fraction(subtotal) * share).amount


def tax_by_line(invoice: Invoice) -> Mapping[LineId, Decimal]:
    """Each line's part of the tax; lines that ask for nothing, or offset others, have none."""
    asked = creditable(invoice)
    if not asked or not invoice.tax_amount:
        return {}
    parts = Money(currency=invoice.currency, amount=invoice.tax_amount).split(list(asked.values()))
    return {line_id: part.amount for line_id, part in zip(asked, parts, strict=True)}
