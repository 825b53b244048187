"""Customers and users as the audit trail keeps them (AUD-1)."""

from __future__ import annotations

from typing import Any

from .model import Customer, User


def customer_trace(customer: Customer) -> dict[str, Any]:
    """What an audit entry shows of a customer."""
    address = customer.address
    return {
        "name": customer.name,
        "external_id": customer.external_id,
        "email": customer.email,
        "business_name": customer.business_name,
        "tax_id": customer.tax_id,
        "country": address.country if address else None,
        "region": address.region if address else None,
        "time_zone": customer.time_zone,
        "metadata": dict(customer.metadata),
        "test_clock_id": customer.test_clock_id,
        "payment_terms_days": customer.payment_terms_days,
        "archived": customer.archived_at is not None,
    }


def user_trace(user: User) -> dict[str, Any]:
    """What an audit entry shows of a user."""
    return {
        "customer_id": user.customer_id,
        "external_id": user.external_id,
        "name": user.name,
        "email": user.email,
        "archived": user.archived_at is not None,
    }
