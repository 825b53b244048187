"""Changes what a user is called and how the user is reached."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import User, UserRef
from .trace import user_trace
from .update_customer import changed


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateUser:
    """What to change; None leaves a field as it is, and an empty text removes an optional one."""

    user: UserRef
    external_id: str | None
    name: str | None
    email: str | None


async def update_user(tx: Tx, clock: Clock, command: UpdateUser) -> User:
    """Changes what the command names and leaves the rest.

    Raises UserNotFoundError and UserExternalIdTakenError.
    """
    before = await read.get_user(tx, command.user, lock=True)
    after = replace(
        before,
        external_id=changed(before.external_id, command.external_id),
        name=before.name if command.name is None else command.name,
        email=changed(before.email, command.email),
    )
    await store.update_user(tx, after)
    await tx.audit("user.updated", after.id, before=user_trace(before), after=user_trace(after))
    await tx.entitlements_changed(after.customer_id)
    return after
