"""Makes an API key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import read, store
from .model import ApiKey, ApiKeyId, ApiKeyKind
from .rules.api_key import SECRET_BYTES, key_from_bytes, key_hash, shown_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey:
    """What the new key is for and what it may do."""

    name: str
    kind: ApiKeyKind
    scopes: frozenset[Scope]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key and, this once, the whole text of it."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        """The key without its text, so that no log or traceback can hold a secret."""
        return f"NewApiKey({self.key.prefix}…)"


async def create_api_key(tx: Tx, clock: Clock, command: CreateApiKey) -> NewApiKey:
    """Makes a key of the caller's merchant, in the merchant's mode (KEY-1)."""
    merchant = await read.get_merchant(tx)
    return await insert_new_key(
        tx, clock, command, mode=merchant.mode, random=secrets.token_bytes(SECRET_BYTES)
    )


async def insert_new_key(
    tx: Tx, clock: Clock, command: CreateApiKey, *, mode: Mode, random: bytes
) -> NewApiKey:
    """Makes a key from random bytes, stores its hash, and leaves the audit entry."""
    text = key_from_bytes(command.kind, mode, random)
    key = ApiKey(
        id=ApiKeyId(new_id("key")),
        name=command.name,
        kind=command.kind,
        prefix=shown_prefix(text),
        scopes=command.scopes,
        created_at=clock.now(),
        expires_at=command.expires_at,
        revoked_at=None,
        last_used_at=None,
        replaced_by_id=None,
    )
    publishable = text if command.kind is ApiKeyKind.PUBLISHABLE else None
    await store.insert_api_key(tx, key, key_hash=key_hash(text), publishable=publishable)
    await tx.audit("api_key.created", key.id, after=key_trace(key))
    return NewApiKey(key=key, text=text)


def key_trace(key: ApiKey) -> dict[str, Any]:
    """What an audit entry shows of a key: never the key itself."""
    return {
        "name": key.name,
        "kind": key.kind,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "replaced_by_id": key.replaced_by_id,
    }
