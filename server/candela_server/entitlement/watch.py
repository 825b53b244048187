"""Tells one watcher what customers are entitled to: everything first, then what changes, and where to continue (ENT-8).

A stream remembers what it sent, eight bytes per answer, and which customers must be looked at again: never a message.
So a consumer that reads slowly costs nothing more; when it reads on, it is told the newest state of each customer,
and what lay between is never sent.

What must be looked at again, in the order in which it is: changed customers; those that a change of the catalog may
concern; those that are listed for the first time; those whose usage moved or whose time passed; and, after a
resumption, the rest, slowly, because usage moves without leaving a trace.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId, CustomerNotFoundError
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Unavailable
from candela_server.storage.postgres import Postgres

from . import store, watch_store
from .load_watched import WatchedCustomers
from .rules.difference import Sent, difference
from .rules.resume_token import (
    Point,
    ResumeTokenExpiredError,
    Watched,
    decode_point,
    encode_point,
)
from .watched import Beat, Changes, Told, WatchedCustomer, Whole

AT_ONCE = 16
"""Customers that one stream asks for at a time; a change that comes meanwhile waits for them."""
URGENT = 8
"""So few at a time are loaded before what other streams list."""
PAGE = 500
MAX_CHANGED = 10_000
"""After a resumption with more changed customers than this, everything is told again."""
QUIET_AT_ONCE = 8
QUIET_PAUSE_S = 0.04
"""200 customers a second: a restart of the server must not make everybody load everything (fault 59)."""
RETRY_S = 0.5
_CHECK_S = 1.0
# A token is good for as long as when it was made this much later.
_TOKEN_S = 60.0
_EVERY_REVISION = 2**63


class Surroundings(Protocol):
    """What a stream must know of the process it runs in."""

    def raise_if_over(self) -> None:
        """Raises WatchInterruptedError when streams must end."""
        ...


@dataclass(slots=True)
class _Listing:
    """Customers to go through by id, after `after` and up to `to`.

    Quiet when the watcher knows them already; owed when something changed for them since.
    """

    after: str
    to: str | None
    quiet: bool
    owed: bool = False


class WatchStream:
    """One stream; its hub marks what must be looked at, and `tell` does."""

    def __init__(
        self,
        db: Postgres,
        clock: Clock,
        customers: WatchedCustomers,
        surroundings: Surroundings,
        watched: Watched,
        customer_ids: Sequence[str],
        *,
        heartbeat_s: float,
    ) -> None:
        """Takes whom to watch: all customers of the merchant when there are no ids."""
        self._db = db
        self._clock = clock
        self._customers = customers
        self._surroundings = surroundings
        self._watched = watched
        self._merchant_id = watched.merchant_id
        self._ids = sorted(set(customer_ids))
        self._id_set = frozenset(self._ids)
        self._heartbeat_s = heartbeat_s
        self._sent: dict[str, Sent] = {}
        # When time alone changes what was sent of a customer; of those without metered features, and few have any.
        self._boundaries: dict[str, datetime] = {}
        self._changed: dict[str, None] = {}
        self._moved: dict[str, None] = {}
        self._swept: dict[str, None] = {}
        self._sweep_below = 0
        self._listings: deque[_Listing] = deque()
        self._listed_to: str | None = None
        self._page: deque[str] = deque()
        self._quiet_at_s = 0.0
        self._resumed_unmoved_until: datetime | None = None
        self._complete_to = 0
        self._horizon = 0
        self._token = ""
        self._token_of: tuple[int, str | None] | None = None
        self._token_until_s = 0.0
        self._beat_at_s = 0.0
        self._news_since_beat = True
        self._caught_up = False
        self._woken = asyncio.Event()

    @property
    def customer_ids(self) -> frozenset[str]:
        """Who is watched; empty for everybody."""
        return self._id_set

    def watches(self, customer_id: str) -> bool:
        """Whether the stream tells of this customer."""
        return not self._id_set or customer_id in self._id_set

    def mark_changed(self, customer_id: str | None, xid: int | None = None) -> bool:
        """Something may have changed for a customer, or for all: in transaction `xid`, or just now.

        Answers whether that was news: what was sent may be newer than the transaction.
        """
        if customer_id is None:
            below = _EVERY_REVISION if xid is None else xid + 1
            if (
                xid is not None
                and all(sent.revision > xid for sent in self._sent.values())
                and not any(listing.quiet for listing in self._listings)
            ):
                return False
            self._sweep_below = max(self._sweep_below, below)
        else:
            sent = self._sent.get(customer_id)
            if xid is not None and sent is not None and sent.revision > xid:
                return False
            self._changed[customer_id] = None
        self._woken.set()
        return True

    def mark_moved(self, customer_id: str) -> None:
        """A customer's usage moved, or its time passed."""
        if customer_id in self._sent:
            self._moved[customer_id] = None
            self._woken.set()

    def seen_up_to(self, revision: int) -> None:
        """Every change below this revision was marked; once all that is marked was told, the token may say so."""
        self._horizon = revision
        self._woken.set()

    def wake(self) -> None:
        """Makes the stream look whether it must end."""
        self._woken.set()

    async def begin(self, resume_token: str) -> int:
        """Finds out what to tell first; returns the revision from which on changes must be marked.

        Raises CustomerNotFoundError and ResumeTokenExpiredError. Marks are expected from before the call.
        """
        point = (
            decode_point(self._watched, resume_token, self._clock.now()) if resume_token else None
        )
        async with self._db.reading(self._merchant_id) as tx:
            revision = await store.current_revision(tx)
            found = await customer.get_customers(tx, [CustomerId(one) for one in self._ids])
            for one in self._ids:
                if one not in found:
                    raise CustomerNotFoundError(CustomerById(CustomerId(one)))
            if point is not None and point.revision > revision:
                # Of another database, or of this one before it was restored from a backup.
                raise ResumeTokenExpiredError
            changed = (
                await watch_store.list_changed(tx, since=point.revision, limit=MAX_CHANGED + 1)
                if point is not None
                else []
            )
        if point is None or watch_store.EVERYBODY in changed or len(changed) > MAX_CHANGED:
            self._listings.append(_Listing("", None, quiet=False))
            self._listed_to = ""
            self._complete_to = revision
        else:
            if point.listed_to is not None:
                self._listings.append(_Listing(point.listed_to, None, quiet=False))
            self._listed_to = point.listed_to
            self._listings.append(_Listing("", point.listed_to, quiet=True))
            self._changed.update((one, None) for one in changed if self.watches(one))
            self._complete_to = point.revision
            self._resumed_unmoved_until = point.unmoved_until
        self._horizon = self._complete_to
        return revision

    async def tell(self) -> AsyncIterator[Told]:
        """The messages, without end; raises when the stream must end."""
        self._beat_at_s = self._now_s() + self._heartbeat_s
        while True:
            self._surroundings.raise_if_over()
            self._woken.clear()
            self._plan()
            if self._now_s() >= self._beat_at_s:
                yield self._beat()
            elif not self._caught_up and self._knows_all():
                # Whoever waits for the whole state has it now, and is told so at once.
                self._caught_up = True
                yield self._beat()
            asked = await self._next_asked()
            if asked:
                async for told in self._tell_of(asked):
                    yield told
            elif self._is_token_old():
                yield self._beat()
            elif self._now_s() < self._beat_at_s:
                await self._wait()

    def _plan(self) -> None:
        """Spreads a sweep, and moves the point up to which everything was told."""
        if self._sweep_below:
            below, self._sweep_below = self._sweep_below, 0
            self._swept.update(
                (one, None) for one, sent in self._sent.items() if sent.revision < below
            )
            for listing in self._listings:
                listing.owed = listing.owed or listing.quiet
                listing.quiet = False
        elif not self._changed and not self._swept and not self._owes_listing():
            self._complete_to = max(self._complete_to, self._horizon)

    def _owes_listing(self) -> bool:
        return any(listing.owed for listing in self._listings)

    def _knows_all(self) -> bool:
        """Whether nothing is left to tell but how usage moved."""
        return (
            not self._changed
            and not self._swept
            and all(listing.quiet for listing in self._listings)
        )

    async def _next_asked(self) -> dict[str, bool]:
        """The next customers to look at, and whether the watcher knows each as it is, usage aside."""
        for marked in (self._changed, self._swept):
            if marked:
                return _taken(marked)
        asked: dict[str, bool] = {}
        while self._listings and not self._listings[0].quiet and len(asked) < AT_ONCE:
            listing = self._listings[0]
            if (one := await self._next_listed(listing)) is not None:
                asked[one] = False
                continue
            if not asked:
                self._listings.popleft()
                self._listed_to = None
            break
        if asked:
            return asked
        if self._moved:
            return _taken(self._moved)
        if not self._listings or self._now_s() < self._quiet_at_s:
            return {}
        while len(asked) < QUIET_AT_ONCE:
            if (one := await self._next_listed(self._listings[0])) is None:
                if not asked:
                    self._listings.popleft()
                break
            asked[one] = self._listings[0].quiet
        self._quiet_at_s = self._now_s() + QUIET_PAUSE_S
        return asked

    async def _next_listed(self, listing: _Listing) -> str | None:
        if not self._page:
            await self._turn_page(listing)
        if not self._page:
            return None
        listing.after = self._page.popleft()
        return listing.after

    async def _turn_page(self, listing: _Listing) -> None:
        if self._ids:
            ids = [one for one in self._ids if one > listing.after]
        else:
            async with self._db.reading(self._merchant_id) as tx:
                ids = list(await customer.list_customer_ids(tx, after=listing.after, limit=PAGE))
        self._page.extend(one for one in ids if listing.to is None or one <= listing.to)

    async def _tell_of(self, asked: Mapping[str, bool]) -> AsyncIterator[Told]:
        listing = self._listings[0] if self._listings else None
        loading = {
            one: self._customers.ask(self._merchant_id, one, urgent=len(asked) <= URGENT)
            for one in asked
        }
        waiting = set(loading.values())
        while waiting:
            self._surroundings.raise_if_over()
            _, waiting = await asyncio.wait(waiting, timeout=min(_CHECK_S, self._until_beat_s()))
            if waiting and self._now_s() >= self._beat_at_s:
                yield self._beat()
        failed = False
        for one, future in loading.items():
            try:
                state = future.result()
            except Unavailable:
                failed = True
                self._changed[one] = None
                continue
            if state is None:
                self._sent.pop(one, None)
                self._boundaries.pop(one, None)
            elif (news := self._news_of(state, quiet=asked[one])) is not None:
                self._news_since_beat = True
                if not self._caught_up:
                    # A beat says that the state is current, which it is not before all is told.
                    self._beat_at_s = self._now_s() + self._heartbeat_s
                yield Told(news, self._resume_token())
        if failed:
            # The database is away; the hub ends the stream if it stays so.
            await asyncio.sleep(RETRY_S)
        elif listing is not None and not listing.quiet and self._listed_to is not None:
            self._listed_to = listing.after

    def _news_of(self, state: WatchedCustomer, *, quiet: bool) -> Whole | Changes | None:
        """What the watcher lacks of this customer; remembered as sent."""
        one, before = state.customer_id, self._sent.get(state.customer_id)
        self._sent[one] = state.sent
        if state.used_print is None and state.valid_until is not None:
            self._boundaries[one] = state.valid_until
        else:
            self._boundaries.pop(one, None)
        if before is None and quiet and state.used_print is None and not self._time_passed():
            return None
        found = difference(before, state.sent)
        if found is None or before is None:
            return Whole(state)
        return None if found.nothing else Changes(state, before.revision, found)

    def _time_passed(self) -> bool:
        """Whether time alone may have changed a customer since the watcher was told of it."""
        until = self._resumed_unmoved_until
        return until is not None and until <= self._clock.now()

    def _is_token_old(self) -> bool:
        """Whether a token says more now than the one that was sent with the last news.

        What was told since would be told again to whoever continues with that one.
        """
        return self._news_since_beat and self._token_of != (self._complete_to, self._listed_to)

    def _beat(self) -> Told:
        self._beat_at_s = self._now_s() + self._heartbeat_s
        self._news_since_beat = False
        return Told(Beat(self._clock.now()), self._resume_token())

    def _resume_token(self) -> str:
        of, now_s = (self._complete_to, self._listed_to), self._now_s()
        if self._token_of != of or now_s >= self._token_until_s:
            boundaries = list(self._boundaries.values())
            if self._resumed_unmoved_until is not None and self._listings:
                boundaries.append(self._resumed_unmoved_until)
            point = Point(
                revision=self._complete_to,
                listed_to=self._listed_to,
                unmoved_until=min(boundaries, default=None),
            )
            self._token = encode_point(self._watched, point, self._clock.now())
            self._token_of, self._token_until_s = of, now_s + _TOKEN_S
        return self._token

    async def _wait(self) -> None:
        until_s = self._until_beat_s()
        if self._listings:
            until_s = min(until_s, max(0.0, self._quiet_at_s - self._now_s()))
        try:
            async with asyncio.timeout(until_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _until_beat_s(self) -> float:
        return max(0.0, self._beat_at_s - self._now_s())

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _taken(marked: dict[str, None]) -> dict[str, bool]:
    """The first of the marked customers, without their marks."""
    taken = list(islice(marked, AT_ONCE))
    for one in taken:
        del marked[one]
    return dict.fromkeys(taken, False)
