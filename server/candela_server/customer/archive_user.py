"""Ends a user's access; what the user used stays counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import CustomerById, User, UserRef
from .trace import user_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveUser:
    """Which user."""

    user: UserRef


async def archive_user(tx: Tx, clock: Clock, command: ArchiveUser) -> User:
    """Archives a user; an archived one stays as it is. Raises UserNotFoundError."""
    before = await read.get_user(tx, command.user, lock=True)
    after = before
    if before.archived_at is None:
        customer = await read.get_customer(tx, CustomerById(before.customer_id))
        own_clock = await read.customer_clock(tx, clock, customer)
        after = replace(before, archived_at=own_clock.now())
        await store.update_user(tx, after)
        await tx.entitlements_changed(after.customer_id)
    await tx.audit("user.archived", after.id, before=user_trace(before), after=user_trace(after))
    return after
