"""Adds a user to a customer."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import read, store
from .model import CustomerRef, User, UserId
from .trace import user_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    """Who the new user is, and for whom they act."""

    customer: CustomerRef
    external_id: str | None
    name: str
    email: str | None


async def create_user(tx: Tx, clock: Clock, command: CreateUser) -> User:
    """Adds a user to a customer (ENT-7).

    Raises CustomerNotFoundError, CustomerArchivedError and UserExternalIdTakenError.
    """
    customer = await read.get_customer_in_business(tx, command.customer)
    own_clock = await read.customer_clock(tx, clock, customer)
    user = User(
        id=UserId(new_id("usr")),
        customer_id=customer.id,
        external_id=command.external_id,
        name=command.name,
        email=command.email,
        created_at=own_clock.now(),
    )
    await store.insert_user(tx, user)
    await tx.audit("user.created", user.id, after=user_trace(user))
    await tx.entitlements_changed(customer.id)
    return user
