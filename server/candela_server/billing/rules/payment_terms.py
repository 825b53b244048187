"""When an invoice is to be paid (INV-7, ENT-10)."""

from __future__ import annotations

from datetime import datetime

from candela_server.customer.model import Customer
from candela_server.kernel.time_zone import days_later
from candela_server.merchant.model import Merchant


def due_at(seller: Merchant, buyer: Customer, time_zone: str, finalized_at: datetime) -> datetime:
    """So many civil days after it was finalized: the customer's own terms, else the merchant's.

    `time_zone` is the invoice's, in which the document prints both days.
    """
    days = buyer.payment_terms_days
    if days is None:
        days = seller.settings.payment_terms_days
    return days_later(finalized_at, days, time_zone)
