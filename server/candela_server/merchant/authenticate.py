"""From a key to who is calling; in front of every call, so it is answered from memory.

Budget: 1 µs for a key seen before (a dictionary look-up by the key's text). A known key is trusted for at most
`TRUST_S`, so that a revocation reaches every process within a second; a key in use is looked up again before that, in
the background. An unknown well-formed key is remembered as unknown for as long, so that guessing costs the database one
look-up a second. While the database is away nobody can revoke a key either: those that worked go on working for
`TRUST_WITHOUT_DATABASE_S`, so that checks can be answered, and nobody waits for it again until it answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from datetime import datetime

from candela_server.kernel.caller import Caller, Mode, Scope
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

from . import store
from .model import ApiKey, ApiKeyId, ApiKeyKind, MerchantId, UnknownApiKeyError
from .rules.api_key import is_well_formed, key_hash

TRUST_S = 1.0
REFRESH_AFTER_S = 0.6
TRUST_WITHOUT_DATABASE_S = 3600.0
MAX_REMEMBERED_KEYS = 10_000
_BEARER = "Bearer "
_LOOK_UP_TIMEOUT_S = 1.0


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

    def caller(self, method: str, request_id: str) -> Caller:
        """The holder as who calls this method."""
        return Caller(
            merchant_id=self.merchant_id,
            key_id=self.key_id,
            actor=self.name,
            scopes=self.scopes,
            mode=self.mode,
            request_id=request_id,
            method=method,
        )


class _Remembered:
    """What is known of one key, and since when."""

    __slots__ = ("asked_s", "confirmed_s", "holder", "trusted_until_s")

    def __init__(self, holder: KeyHolder | None, now_s: float, trusted_s: float) -> None:
        self.holder = holder
        self.asked_s = self.confirmed_s = now_s
        self.trusted_until_s = now_s + trusted_s


class Authenticator:
    """Answers who holds a key, asking the database at most twice a second per key."""

    def __init__(self, db: Postgres, clock: Clock) -> None:
        """Begins with nothing remembered."""
        self._db = db
        self._clock = clock
        self._known: OrderedDict[str, _Remembered] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Remembered]] = {}
        self._used: dict[ApiKeyId, datetime] = {}

    def known(self, authorization: str | bytes) -> KeyHolder | None:
        """Who holds the key of an authorization header, if that is remembered; else `authenticate` knows."""
        remembered = self._known.get(authorization[7:]) if isinstance(authorization, str) else None
        if remembered is None or not authorization.startswith(_BEARER):  # type: ignore[arg-type]
            return None
        now_s = time.monotonic()
        if now_s >= remembered.trusted_until_s:
            return None
        if now_s - remembered.asked_s >= REFRESH_AFTER_S and remembered.holder is not None:
            remembered.asked_s = now_s
            self._ask(str(authorization[7:]))
        return remembered.holder

    async def authenticate(self, key: str) -> KeyHolder:
        """Who holds this key. Raises UnknownApiKeyError, and Unavailable when nobody can tell."""
        remembered = self._known.get(key)
        if remembered is None or time.monotonic() >= remembered.trusted_until_s:
            if not is_well_formed(key):
                raise UnknownApiKeyError
            # Shielded: a caller who gives up must not take the others' answer along.
            remembered = await asyncio.shield(self._ask(key))
        if remembered.holder is None:
            raise UnknownApiKeyError
        return remembered.holder

    async def note_use(self) -> None:
        """Writes which keys were used since the last time (KEY-2); called every minute."""
        used, self._used = self._used, {}
        if used:
            async with self._db.system() as tx:
                await store.note_keys_used(tx, used)

    def _ask(self, key: str) -> asyncio.Task[_Remembered]:
        """Asks the database, once for all who want to know now."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._look_up(key))
            task.add_done_callback(lambda done: self._asked(key, done))
        return task

    def _asked(self, key: str, task: asyncio.Task[_Remembered]) -> None:
        del self._asking[key]
        if not task.cancelled():
            # Looked at, so that a failure that only a background look-up saw is no unhandled one.
            task.exception()

    async def _look_up(self, key: str) -> _Remembered:
        asked_s = time.monotonic()
        if self._db.outage.active:
            return self._still_trusted(key, asked_s)
        try:
            async with asyncio.timeout(_LOOK_UP_TIMEOUT_S), self._db.system() as tx:
                owner = await store.find_key_by_hash(tx, key_hash(key))
        except (DatabaseUnavailableError, TimeoutError):
            self._db.outage.begin()
            return self._still_trusted(key, asked_s)
        now = self._clock.now()
        holder = None
        if owner is not None and owner.key.works_at(now):
            holder = KeyHolder(owner.merchant_id, owner.mode, owner.key)
            self._used[holder.key_id] = now
        trusted_s = TRUST_S
        if holder is not None and holder.expires_at is not None:
            trusted_s = min(TRUST_S, (holder.expires_at - now).total_seconds())
        remembered = self._known[key] = _Remembered(holder, asked_s, trusted_s)
        self._known.move_to_end(key)
        if len(self._known) > MAX_REMEMBERED_KEYS:
            self._known.popitem(last=False)
        return remembered

    def _still_trusted(self, key: str, now_s: float) -> _Remembered:
        """A key that worked, for another moment without the database. Raises DatabaseUnavailableError otherwise."""
        remembered = self._known.get(key)
        holder = remembered.holder if remembered is not None else None
        if (
            remembered is None
            or holder is None
            or now_s - remembered.confirmed_s > TRUST_WITHOUT_DATABASE_S
            or (holder.expires_at is not None and self._clock.now() >= holder.expires_at)
        ):
            raise DatabaseUnavailableError
        remembered.asked_s = time.monotonic()
        remembered.trusted_until_s = remembered.asked_s + TRUST_S
        return remembered
