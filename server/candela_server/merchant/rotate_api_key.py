"""Replaces a key, letting the old one work a while longer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import store
from .create_api_key import CreateApiKey, NewApiKey, create_api_key, key_trace
from .model import ApiKey, ApiKeyId, ApiKeyNotFoundError, ApiKeyRevokedError

DEFAULT_OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateApiKey:
    """Which key, and how long it keeps working."""

    api_key_id: ApiKeyId
    overlap: timedelta


async def rotate_api_key(tx: Tx, clock: Clock, command: RotateApiKey) -> tuple[NewApiKey, ApiKey]:
    """Makes a successor with the same name, kind and scopes; the old key ends after the overlap (KEY-2).

    An earlier expiry of the old key stands. Raises ApiKeyNotFoundError and ApiKeyRevokedError.
    """
    old = await store.lock_api_key(tx, command.api_key_id)
    if old is None:
        raise ApiKeyNotFoundError(command.api_key_id)
    if old.revoked_at is not None:
        raise ApiKeyRevokedError(old.id)
    successor = await create_api_key(
        tx,
        clock,
        CreateApiKey(name=old.name, kind=old.kind, scopes=old.scopes, expires_at=None),
    )
    ends_at = clock.now() + command.overlap
    replaced = replace(
        old,
        expires_at=min(ends_at, old.expires_at) if old.expires_at else ends_at,
        replaced_by_id=successor.key.id,
    )
    await store.end_api_key(
        tx,
        old.id,
        expires_at=replaced.expires_at,
        revoked_at=None,
        replaced_by_id=successor.key.id,
    )
    await tx.audit("api_key.rotated", old.id, before=key_trace(old), after=key_trace(replaced))
    return successor, replaced
