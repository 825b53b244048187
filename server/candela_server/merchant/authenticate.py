"""From a key to who is calling; in front of every call, so it is answered from memory.

Budget: 1 µs for a key seen before (a dictionary look-up by the key's text). A known key is trusted for at most
`TRUST_S`, so that a revocation reaches every process within a second; an unknown
well-formed key is remembered as unknown for as long, so that guessing costs the database one look-up a second.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import datetime

from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Postgres

from . import store
from .model import ApiKey, ApiKeyId, ApiKeyKind, MerchantId, UnknownApiKeyError
from .rules.api_key import is_well_formed, key_hash

TRUST_S = 1.0
MAX_REMEMBERED_KEYS = 10_000


class KeyHolder:
    """What a valid key proves: which merchant calls, in which mode, and what it may do."""

    __slots__ = ("expires_at", "key_id", "merchant_id", "mode", "name", "scopes")

    def __init__(self, merchant_id: MerchantId, mode: Mode, key: ApiKey) -> None:
        """Remembers the part of the key that each call needs."""
        self.merchant_id = merchant_id
        self.mode = mode
        self.key_id: ApiKeyId = key.id
        self.name = key.name
        self.expires_at: datetime | None = key.expires_at
        self.scopes: frozenset[Scope] = (
            frozenset({Scope.PUBLIC})
            if key.kind is ApiKeyKind.PUBLISHABLE
            else frozenset(Scope)
            if Scope.ADMIN in key.scopes
            else key.scopes | {Scope.PUBLIC}
        )


class Authenticator:
    """Answers who holds a key, asking the database at most once a second per key."""

    def __init__(self, db: Postgres, clock: Clock) -> None:
        """Begins with nothing remembered."""
        self._db = db
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, KeyHolder | None]] = OrderedDict()
        self._used: dict[ApiKeyId, datetime] = {}

    async def authenticate(self, key: str) -> KeyHolder:
        """Who holds this key. Raises UnknownApiKeyError."""
        found = self._known.get(key)
        if found is not None and time.monotonic() < found[0]:
            holder = found[1]
        else:
            holder = await self._look_up(key)
        if holder is None:
            raise UnknownApiKeyError
        return holder

    async def note_use(self) -> None:
        """Writes which keys were used since the last time (KEY-2); called every minute."""
        used, self._used = self._used, {}
        if used:
            async with self._db.system() as tx:
                await store.note_keys_used(tx, used)

    async def _look_up(self, key: str) -> KeyHolder | None:
        if not is_well_formed(key):
            return None
        async with self._db.system() as tx:
            owner = await store.find_key_by_hash(tx, key_hash(key))
        now = self._clock.now()
        holder = None
        if owner is not None and owner.key.works_at(now):
            holder = KeyHolder(owner.merchant_id, owner.mode, owner.key)
            self._used[holder.key_id] = now
        trusted_s = TRUST_S
        if holder is not None and holder.expires_at is not None:
            trusted_s = min(TRUST_S, (holder.expires_at - now).total_seconds())
        self._known[key] = (time.monotonic() + trusted_s, holder)
        self._known.move_to_end(key)
        if len(self._known) > MAX_REMEMBERED_KEYS:
            self._known.popitem(last=False)
        return holder
