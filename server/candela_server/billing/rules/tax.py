"""Which tax an invoice carries, and why (TAX-1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from candela_server.customer.model import Customer

B2C_NOT_SUPPORTED = "b2c_tax_not_supported"
NOT_CONFIGURED = "tax_not_configured"
NO_TAX = Decimal(0)


@dataclass(frozen=True, slots=True)
class TaxDecision:
    """The rate in percent, and why it is that one."""

    percent: Decimal
    reason: str


def tax_for(buyer: Customer) -> TaxDecision:
    """The tax of a buyer's invoices: none, and the reason says whether that could be otherwise.

    Without both a tax id and a business name the buyer is taken for a consumer, whom this engine does not tax. Rates
    for businesses are not configurable yet (TAX-2).
    """
    if buyer.tax_id is None and buyer.business_name is None:
        return TaxDecision(Decimal(0), B2C_NOT_SUPPORTED)
    return TaxDecision(Decimal(0), NOT_CONFIGURED)
