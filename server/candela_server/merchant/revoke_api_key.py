"""Stops a key for good."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import store
from .create_api_key import key_trace
from .model import ApiKey, ApiKeyId, ApiKeyNotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey:
    """Which key."""

    api_key_id: ApiKeyId


async def revoke_api_key(tx: Tx, clock: Clock, command: RevokeApiKey) -> ApiKey:
    """Stops a key on every server; a revoked key stays as it is. Raises ApiKeyNotFoundError."""
    old = await store.lock_api_key(tx, command.api_key_id)
    if old is None:
        raise ApiKeyNotFoundError(command.api_key_id)
    revoked = old if old.revoked_at else replace(old, revoked_at=clock.now())
    await store.end_api_key(
        tx,
        old.id,
        expires_at=old.expires_at,
        revoked_at=revoked.revoked_at,
        replaced_by_id=old.replaced_by_id,
    )
    await tx.audit("api_key.revoked", old.id, before=key_trace(old), after=key_trace(revoked))
    return revoked
