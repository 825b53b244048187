"""Changes what a customer is called and where it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import Address, Customer, CustomerRef, PaymentTerms
from .trace import customer_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer:
    """What to change; None leaves a field as it is, and an empty text removes an optional one."""

    customer: CustomerRef
    name: str | None
    external_id: str | None
    email: str | None
    business_name: str | None
    tax_id: str | None
    address: Address | None
    time_zone: str | None
    metadata: Mapping[str, str]
    payment_terms: PaymentTerms | None = None


async def update_customer(tx: Tx, clock: Clock, command: UpdateCustomer) -> Customer:
    """Changes what the command names and leaves the rest.

    Raises CustomerNotFoundError and CustomerExternalIdTakenError.
    """
    before = await read.get_customer(tx, command.customer, lock=True)
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        external_id=changed(before.external_id, command.external_id),
        email=changed(before.email, command.email),
        business_name=changed(before.business_name, command.business_name),
        tax_id=changed(before.tax_id, command.tax_id),
        address=command.address or before.address,
        time_zone=command.time_zone or before.time_zone,
        metadata=merged(before.metadata, command.metadata),
        payment_terms_days=before.payment_terms_days
        if command.payment_terms is None
        else command.payment_terms.days,
    )
    await store.update_customer(tx, after)
    await tx.audit(
        "customer.updated", after.id, before=customer_trace(before), after=customer_trace(after)
    )
    await tx.entitlements_changed(after.id)
    return after


def changed(before: str | None, wanted: str | None) -> str | None:
    """The optional text after an update: None keeps it, an empty text removes it."""
    return before if wanted is None else wanted or None


def merged(before: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Labels after an update: merged by key, an empty value removes the key."""
    return {key: value for key, value in {**before, **wanted}.items() if value}
