"""Notes on a subscription what changes nothing that is granted or billed, as a version of its own (SUB-3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.storage.postgres import Tx

from . import version_store
from .model import Subscription, SubscriptionVersion


async def append_without_change(
    tx: Tx, held: Subscription, version: SubscriptionVersion, *, at: datetime, reason: str
) -> Subscription:
    """A version that changes nothing that is granted or billed, such as when it will end."""
    version = replace(
        version,
        number=held.version.number + 1,
        valid_from=max(at, held.version.valid_from),
        valid_to=None,
        reason=reason,
        actor=tx.caller.actor if tx.caller else "system",
    )
    appended = await version_store.append_versions(tx, {held.id: version})
    assert appended == {held.id}, "the subscription is locked"
    return replace(held, version=version)
