"""Takes a customer out of business; what they had and used stays (SUB-6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import Customer, CustomerId, CustomerRef
from .trace import customer_trace

CheckNothingRuns = Callable[[Tx, CustomerId], Awaitable[None]]
"""Raises while something of a customer still runs; subscriptions are known above this room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveCustomer:
    """Which customer."""

    customer: CustomerRef


async def archive_customer(
    tx: Tx, clock: Clock, check_nothing_runs: CheckNothingRuns, command: ArchiveCustomer
) -> Customer:
    """Archives a customer; an archived one stays as it is.

    Whoever begins something for the customer holds the same row, so that nothing begins meanwhile. Raises
    CustomerNotFoundError, and what `check_nothing_runs` does.
    """
    before = await read.get_customer(tx, command.customer, lock=True)
    after = before
    if before.archived_at is None:
        await check_nothing_runs(tx, before.id)
        own_clock = await read.customer_clock(tx, clock, before)
        after = replace(before, archived_at=own_clock.now())
        await store.update_customer(tx, after)
        await tx.entitlements_changed(after.id)
    await tx.audit(
        "customer.archived", after.id, before=customer_trace(before), after=customer_trace(after)
    )
    return after
