"""What others may ask about credits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.customer.model import CustomerId
from candela_server.storage.postgres import Tx

from . import store
from .model import CreditGrant, GrantId, GrantNotFoundError

_ZERO = Decimal(0)


async def get_grant(tx: Tx, grant_id: GrantId, *, lock: bool = False) -> CreditGrant:
    """The grant with its balance, which nobody else changes until commit when locked. Raises GrantNotFoundError."""
    found = await get_grants(tx, [grant_id], lock=lock)
    if not found:
        raise GrantNotFoundError(grant_id)
    return found[0]


async def next_start_at(tx: Tx, customer_id: CustomerId, after: datetime) -> datetime | None:
    """When a grant of the customer that does not count yet begins to; None when none is waiting."""
    return await store.next_start_at(tx, customer_id, after)


async def list_grants(tx: Tx, customer_id: CustomerId, at: datetime) -> list[CreditGrant]:
    """The customer's grants that can pay for usage of this instant, in no particular order."""
    return await store.list_grants_counting_at(tx, [customer_id], at)


async def list_spendable_grants(
    tx: Tx, customer_ids: Sequence[CustomerId], at: datetime
) -> list[CreditGrant]:
    """As list_grants, of several customers; usage credit that goes on when periods end is less what drafts draw of it.

    What a period that is over used is spent, though it is posted only when its invoice is final.
    """
    found = await store.list_grants_counting_at(tx, customer_ids, at)
    if not any(one.outlasts_periods for one in found):
        return found
    promised = await store.list_promised(tx, customer_ids)
    return [
        replace(one, balance=max(one.balance - promised[one.id], _ZERO))
        if one.outlasts_periods and one.id in promised
        else one
        for one in found
    ]


async def list_grants_of_customers(
    tx: Tx, customer_ids: Sequence[CustomerId], *, until: datetime, since: datetime | None = None
) -> list[CreditGrant]:
    """The customers' grants that began before `until`, with their balances.

    All of them, or, with `since`, those that had not ended by then or may have something left.
    """
    return await store.list_grants_of_customers(tx, customer_ids, since=since, until=until)


async def list_grants_of_subscription(tx: Tx, subscription_id: str) -> list[CreditGrant]:
    """All grants that ever came with a subscription, also those that have not begun, with their balances."""
    return await store.list_grants_of_subscription(tx, subscription_id)


async def list_monetary_grants(
    tx: Tx, customer_ids: Sequence[CustomerId], *, until: datetime
) -> list[CreditGrant]:
    """The customers' monetary grants that have begun by an instant and have something left, by id."""
    return await store.list_monetary_grants(tx, customer_ids, until)


async def list_ends(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, datetime]:
    """When grants with something left end, those that do: their own end, or that of the terms they came with."""
    return await store.list_ends(tx, grant_ids)


async def sum_granted(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What each grant was ever good for: granted and adjusted, less what was revoked; drawn or expired or not."""
    return await store.sum_granted(tx, grant_ids)


async def get_grants(tx: Tx, ids: Sequence[GrantId], *, lock: bool = False) -> list[CreditGrant]:
    """The grants with these ids and their balances, by id; with `lock` no other transaction draws from them until
    commit."""
    if lock:
        await store.lock_grants(tx, sorted(ids))
    return await store.list_grants_by_id(tx, ids)
