"""The commands by which somebody signs up and takes a plan, with nothing asked for that a test is not about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from candela_server.catalog.refs import BySlug
from candela_server.customer.create_customer import CreateCustomer
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.subscription.create_subscription import CreateSubscription
from candela_server.subscription.model import CollectionMethod


def signing_up(name: str, **but: Any) -> CreateCustomer:
    """A customer in UTC, but for what is named."""
    plain = CreateCustomer(
        name=name,
        external_id=None,
        email=None,
        business_name=None,
        tax_id=None,
        address=None,
        time_zone="UTC",
        metadata={},
        test_clock_id=None,
    )
    return replace(plain, **but)


def taking(customer_id: CustomerId, plan: str, **but: Any) -> CreateSubscription:
    """The plan of a slug, from now on and paid by hand, but for what is named."""
    plain = CreateSubscription(
        customer=CustomerById(customer_id),
        plan=BySlug(plan),
        price_id=None,
        currency=None,
        seats=None,
        quantities={},
        start_at=None,
        time_zone=None,
        collection_method=CollectionMethod.SEND_INVOICE,
        allow_duplicate=False,
        metadata={},
        reason="",
    )
    return replace(plain, **but)
