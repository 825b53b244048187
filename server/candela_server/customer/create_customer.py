"""Adds a customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import store
from .model import Address, Customer, CustomerId
from .trace import customer_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    """Who the new customer is. The merchant's zone counts when `time_zone` is None."""

    name: str
    external_id: str | None
    email: str | None
    business_name: str | None
    tax_id: str | None
    address: Address | None
    time_zone: str | None
    metadata: Mapping[str, str]
    test_clock_id: TestClockId | None


async def create_customer(tx: Tx, clock: Clock, command: CreateCustomer) -> Customer:
    """Adds a customer, on a test clock when one is named (OPS-2).

    Raises CustomerExternalIdTakenError, TestClockNotFoundError and, in live mode, LiveModeError.
    """
    seller = await merchant.get_merchant(tx)
    own_clock = await merchant.clock_for(tx, clock, command.test_clock_id)
    customer = Customer(
        id=CustomerId(new_id("cus")),
        name=command.name,
        external_id=command.external_id,
        email=command.email,
        business_name=command.business_name,
        tax_id=command.tax_id,
        address=command.address,
        time_zone=command.time_zone or seller.time_zone,
        metadata=command.metadata,
        test_clock_id=command.test_clock_id,
        created_at=own_clock.now(),
    )
    await store.insert_customer(tx, customer)
    await tx.audit("customer.created", customer.id, after=customer_trace(customer))
    await tx.entitlements_changed(customer.id)
    return customer
