"""Read your writes across processes: a change that was answered is known to every server that answers checks.

Each server process remembers what customers may do, and holds an advisory lock in PostgreSQL while it listens for
changes. Whoever changes something sends a token after its changes, in the same transaction; each listener that reads
the token has dropped what the changes made wrong, and says so. The changing call is answered when all holders of the
lock have said so, normally within a few milliseconds. A holder that says nothing for `LEASE_S` may no longer trust its
memory by then (see listen.py), so nobody waits longer than that, whatever has failed. A holder whose connection was
lost holds no lock any more and may not have noticed yet; so each process watches the holders, and one that has gone
without a word counts for as long as its lease may.

Live counters are told of in the same way: a server that cannot bring acknowledged events into Redis says so here, as
Redis may well answer the others.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from .listen import LEASE_S, MEMBERS, SETTLING_S, Listener
from .postgres import DatabaseUnavailableError, Postgres
from .transaction import (
    COUNTERS_MARK,
    DEFAULT_MARK,
    ENTITLEMENTS_CHANNEL,
    GROWTH_MARK,
    SWITCH_OFF_MARK,
    SWITCH_ON_MARK,
    TOKEN_MARK,
)

_HEARD_CHANNEL: Final = "candela_heard"
_LOCK_CLASS: Final = 0x0CA4DE1A
_MARGIN_S: Final = 0.05
"""Two machines' monotonic clocks may run this much apart within one lease."""
_WARN_TIMEOUT_S: Final = 2.0
_BYE: Final = "bye"
_FOR_EVER: Final = float("inf")
_SOMEBODY: Final = -1


class Changes:
    """One process's ear for changes, and its patience for the others'."""

    def __init__(
        self,
        db: Postgres,
        on_change: Callable[[str, str | None], None],
        on_gap: Callable[[], None],
        on_lost_counts: Callable[[], object] = lambda: None,
        on_growth: Callable[[str], None] | None = None,
        on_switch: Callable[[str, str, bool], None] | None = None,
        on_default: Callable[[str, str, str], None] | None = None,
    ) -> None:
        """Listens from `start` on. `on_change` gets a merchant and a customer, or None for all of the merchant's.

        `on_growth` gets a merchant whose catalog has something new that nobody holds yet; without it, that is a change
        for all of the merchant's. `on_switch` gets a merchant, a feature's slug and whether it is on now; likewise.
        `on_default` gets a merchant, a feature's slug and its new default, as the catalog writes it; likewise.
        """
        self._db = db
        self._on_switch = on_switch or (lambda merchant_id, slug, on: on_change(merchant_id, None))
        self._on_default = on_default or (
            lambda merchant_id, slug, default: on_change(merchant_id, None)
        )
        self._on_growth = on_growth or (lambda merchant_id: on_change(merchant_id, None))
        self._on_change = on_change
        self._on_lost_counts = on_lost_counts
        self._number = secrets.randbelow(2**31)
        self._heard_by: dict[str, _Hearers] = {}
        self._listener = Listener(
            db.url,
            {ENTITLEMENTS_CHANNEL: self._hear, _HEARD_CHANNEL: self._note},
            on_gap,
            membership=(_LOCK_CLASS, self._number),
            on_members=self._watch_members,
        )
        self._members_seen_s = 0.0
        # Members by number, each with the time until which its lease may last although it holds no lock.
        self._members: dict[int, float] = {}
        self._left: set[int] = set()
        self.is_current = self._listener.is_current
        self.catch_up = self._listener.catch_up

    async def start(self) -> None:
        """Begins listening; returns when it does, or when PostgreSQL cannot be reached."""
        await self._listener.start()

    async def close(self) -> None:
        """Stops listening; nobody waits for this process any more."""
        await self._listener.leave(_HEARD_CHANNEL, f"{self._number}:{_BYE}")
        await self._listener.close()

    def token(self) -> str:
        """A token to send after changes; `until_heard` must be awaited or `forget` called."""
        token = secrets.token_hex(8)
        self._heard_by[token] = _Hearers()
        return token

    def forget(self, token: str) -> None:
        """Gives up a token: its transaction was not committed."""
        self._heard_by.pop(token, None)

    async def warn_of_counters(self) -> None:
        """Returns when no server process can answer from live counters that lack what was committed before the call.

        Raises DatabaseUnavailableError when they cannot be told.
        """
        token = self.token()
        try:
            async with asyncio.timeout(_WARN_TIMEOUT_S), self._db.system() as tx:
                await tx.counters_lack_events()
                await tx.send_token(token)
        except TimeoutError as error:
            self.forget(token)
            raise DatabaseUnavailableError from error
        except BaseException:
            self.forget(token)
            raise
        await self.until_heard(token)

    async def until_heard(self, token: str) -> None:
        """Returns when no server process can answer from what was before the token's transaction."""
        hearers = self._heard_by[token]
        patience_s = time.monotonic() + LEASE_S + _MARGIN_S
        try:
            async with asyncio.timeout(LEASE_S + _MARGIN_S):
                asked_s = time.monotonic()
                self._watch_members(await self._holders(), asked_s)
                while not self._members.keys() <= hearers.numbers:
                    hearers.more.clear()
                    await hearers.more.wait()
        except Exception:
            # Slow, or PostgreSQL has gone: by then nobody trusts what could be wrong. The change is committed, so
            # this must not fail.
            await asyncio.sleep(max(0.0, patience_s - time.monotonic()))
        finally:
            self.forget(token)

    async def _holders(self) -> set[int]:
        async with self._db.system() as tx:
            return {row["number"] for row in await tx.fetch(MEMBERS, _LOCK_CLASS)}

    def _watch_members(self, holders: set[int], as_of_s: float) -> None:
        """Notes who holds the lock, and for how long those who held it a moment ago may trust what they remember."""
        now_s = time.monotonic()
        lease_ends_s = now_s + LEASE_S + _MARGIN_S
        if now_s - self._members_seen_s >= SETTLING_S:
            # Somebody may have come, settled and gone since. Nobody has this number, so every lease is waited for.
            self._members[_SOMEBODY] = lease_ends_s
        self._members_seen_s = max(self._members_seen_s, as_of_s)
        for number in holders - self._left:
            self._members[number] = _FOR_EVER
        for number, until_s in list(self._members.items()):
            if number in holders:
                continue
            if until_s == _FOR_EVER:
                self._members[number] = lease_ends_s
            elif now_s >= until_s:
                self._forget_member(number)

    def _forget_member(self, number: int) -> None:
        if self._members.pop(number, None) is not None:
            for hearers in self._heard_by.values():
                hearers.more.set()

    def _hear(self, payload: str) -> None:
        if payload.startswith(TOKEN_MARK):
            self._listener.say(_HEARD_CHANNEL, f"{self._number}:{payload[len(TOKEN_MARK) :]}")
            return
        if payload == COUNTERS_MARK:
            self._on_lost_counts()
            return
        merchant_id, _, customer_id = payload.partition(":")
        if customer_id == GROWTH_MARK:
            self._on_growth(merchant_id)
            return
        if customer_id.startswith((SWITCH_ON_MARK, SWITCH_OFF_MARK)):
            self._on_switch(merchant_id, customer_id[1:], customer_id.startswith(SWITCH_ON_MARK))
            return
        if customer_id.startswith(DEFAULT_MARK):
            slug, _, default = customer_id[1:].partition(" ")
            self._on_default(merchant_id, slug, default)
            return
        self._on_change(merchant_id, None if customer_id == "*" else customer_id)

    def _note(self, payload: str) -> None:
        for message in payload.split(","):
            number, _, token = message.partition(":")
            if token == _BYE:
                self._left.add(int(number))
                self._forget_member(int(number))
                continue
            hearers = self._heard_by.get(token)
            if hearers is not None:
                hearers.numbers.add(int(number))
                hearers.more.set()


class _Hearers:
    """The processes that have heard one token."""

    __slots__ = ("more", "numbers")

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.more = asyncio.Event()
