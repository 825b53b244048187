"""Adds a customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import LiveModeError, TestClockId
from candela_server.storage.postgres import Tx

from . import store
from .model import Address, Customer, CustomerId
from .trace import customer_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    """Who the new customer is. The merchant's zone, clock and terms of payment count where there are no own ones."""

    name: str
    external_id: str | None
    email: str | None
    business_name: str | None
    tax_id: str | None
    address: Address | None
    time_zone: str | None
    metadata: Mapping[str, str]
    test_clock_id: TestClockId | None
    payment_terms_days: int | None = None


async def create_customer(tx: Tx, clock: Clock, command: CreateCustomer) -> Customer:
    """Adds a customer, on a test clock when one is named or the whole merchant stands on one (OPS-2).

    Raises CustomerExternalIdTakenError, TestClockNotFoundError and, in live mode, LiveModeError.
    """
    seller = await merchant.get_merchant(tx)
    if command.test_clock_id is not None and seller.mode is not Mode.TEST:
        raise LiveModeError
    test_clock_id = command.test_clock_id or seller.test_clock_id
    if test_clock_id is not None:
        await merchant.get_test_clock_in_use(tx, test_clock_id)
    own_clock = await merchant.clock_for(tx, clock, test_clock_id)
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
        test_clock_id=test_clock_id,
        created_at=own_clock.now(),
        payment_terms_days=command.payment_terms_days,
    )
    await store.insert_customer(tx, customer)
    await tx.audit("customer.created", customer.id, after=customer_trace(customer))
    await tx.entitlements_changed(customer.id)
    return customer
