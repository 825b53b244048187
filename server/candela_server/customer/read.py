"""What others may ask about customers and users."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import store
from .model import (
    Customer,
    CustomerArchivedError,
    CustomerById,
    CustomerId,
    CustomerNotFoundError,
    CustomerRef,
    User,
    UserById,
    UserId,
    UserNotFoundError,
    UserRef,
)


async def find_customer(tx: Tx, ref: CustomerRef, *, lock: bool = False) -> Customer | None:
    """The customer, archived or not, or None; locked until commit when asked."""
    if isinstance(ref, CustomerById):
        return await store.find_customer(tx, ref.id, lock=lock)
    return await store.find_customer_by_external_id(tx, ref.external_id, lock=lock)


async def get_customer(tx: Tx, ref: CustomerRef, *, lock: bool = False) -> Customer:
    """The customer, archived or not; locked until commit when asked. Raises CustomerNotFoundError."""
    customer = await find_customer(tx, ref, lock=lock)
    if customer is None:
        raise CustomerNotFoundError(ref)
    return customer


async def get_customer_in_business(tx: Tx, ref: CustomerRef, *, lock: bool = False) -> Customer:
    """The customer, who may take new business. Raises CustomerNotFoundError, CustomerArchivedError."""
    customer = await get_customer(tx, ref, lock=lock)
    if customer.archived_at is not None:
        raise CustomerArchivedError(customer.id)
    return customer


async def get_customers(tx: Tx, ids: Sequence[CustomerId]) -> dict[CustomerId, Customer]:
    """The customers with these ids; unknown ids are left out."""
    return {found.id: found for found in await store.list_customers_by_id(tx, ids)}


async def get_customers_by_external_id(tx: Tx, external_ids: Sequence[str]) -> list[Customer]:
    """The customers with these ids of the merchant's own; unknown ones are left out."""
    return await store.list_customers_by_external_id(tx, external_ids)


async def get_users_by_any_id(
    tx: Tx, ids: Sequence[UserId], external_ids: Sequence[str]
) -> list[User]:
    """The users with one of these ids, ours or the merchant's own; unknown ones are left out."""
    return await store.list_users_by_any_id(tx, ids, external_ids)


async def list_customers(
    tx: Tx,
    *,
    limit: int,
    after: tuple[datetime, str] | None = None,
    include_archived: bool = False,
    test_clock_id: TestClockId | None = None,
) -> list[Customer]:
    """One page of customers by (created_at, id), beginning after the given pair."""
    return await store.list_customers(
        tx,
        limit=limit,
        after=after,
        include_archived=include_archived,
        test_clock_id=test_clock_id,
    )


async def find_user(tx: Tx, ref: UserRef, *, lock: bool = False) -> User | None:
    """The user, archived or not, or None; locked until commit when asked."""
    if isinstance(ref, UserById):
        return await store.find_user(tx, ref.id, lock=lock)
    return await store.find_user_by_external_id(tx, ref.external_id, lock=lock)


async def get_user(tx: Tx, ref: UserRef, *, lock: bool = False) -> User:
    """The user, archived or not; locked until commit when asked. Raises UserNotFoundError."""
    user = await find_user(tx, ref, lock=lock)
    if user is None:
        raise UserNotFoundError(ref)
    return user


async def list_users(
    tx: Tx,
    customer_id: CustomerId,
    *,
    limit: int = 1000,
    after: tuple[datetime, str] | None = None,
    include_archived: bool = False,
) -> list[User]:
    """One page of a customer's users by (created_at, id)."""
    return await store.list_users(
        tx, customer_id, limit=limit, after=after, include_archived=include_archived
    )


async def list_customer_ids(tx: Tx, *, after: str = "", limit: int) -> list[CustomerId]:
    """One page of the ids of all customers, archived ones too, by id."""
    return await store.list_customer_ids(tx, after=after, limit=limit)


async def get_users_of_customers(
    tx: Tx, ids: Sequence[CustomerId], *, limit_each: int
) -> list[User]:
    """The users who act for these customers now; of each customer the oldest ones, up to a limit."""
    return await store.list_users_of_customers(tx, ids, limit_each=limit_each)


async def nows_of(
    tx: Tx, clock: Clock, customers: Collection[Customer]
) -> dict[CustomerId, datetime]:
    """What time it is for each of these customers: on their test clock, or by the given one (OPS-2)."""
    clocks = await merchant.get_test_clocks(
        tx, {one.test_clock_id for one in customers if one.test_clock_id is not None}
    )
    now = clock.now()
    return {
        one.id: now if one.test_clock_id is None else clocks[one.test_clock_id].now_at
        for one in customers
    }


async def customer_clock(tx: Tx, clock: Clock, customer: Customer) -> Clock:
    """The time this customer lives in: the test clock's, or the given one (OPS-2)."""
    return await merchant.clock_for(tx, clock, customer.test_clock_id)
