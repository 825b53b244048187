"""Tells one watcher what customers are entitled to: everything first, then what changes, and where to continue (ENT-8).

A stream remembers what it sent, eight bytes per answer, and whom to look at again (`watch_agenda.py`): never a message.
So a consumer that reads slowly costs nothing more; when it reads on, it is told the newest state of each customer,
and what lay between is never sent.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
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
    ResumeTokenExpiredError,
    Watched,
    decode_point,
)
from .watch_agenda import Agenda
from .watch_progress import Progress
from .watched import Beat, Changes, Told, WatchedCustomer, Whole

URGENT = 8
"""So few at a time are loaded before what other streams list."""
PAGE = 500
MAX_CHANGED = 10_000
"""After a resumption with more changed customers than this, everything is told again."""
RETRY_S = 0.5
_CHECK_S = 1.0
_EVERY_REVISION = 2**63


class Surroundings(Protocol):
    """What a stream must know of the process it runs in."""

    def raise_if_over(self) -> None:
        """Raises WatchInterruptedError when streams must end."""
        ...


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
        self._agenda = Agenda(self._turn_page)
        self._sweep_below = 0
        self._progress = Progress(watched, clock)
        self._horizon = 0
        self._beat_at_s = 0.0
        self._news_since_beat = True
        self._said_current = False
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
                and not self._agenda.is_listing_quietly
            ):
                return False
            self._sweep_below = max(self._sweep_below, below)
        else:
            sent = self._sent.get(customer_id)
            if xid is not None and sent is not None and sent.revision > xid:
                return False
            self._agenda.mark_changed([customer_id])
        self._woken.set()
        return True

    def mark_moved(self, customer_id: str) -> None:
        """A customer's usage moved, or its time passed."""
        if customer_id in self._sent:
            self._agenda.mark_moved(customer_id)
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
            self._agenda.list_all()
            self._progress.complete_to = revision
        else:
            self._agenda.resume(point.listed_to)
            self._agenda.mark_changed(one for one in changed if self.watches(one))
            self._progress.resume(point)
        self._horizon = self._progress.complete_to
        return revision

    async def tell(self) -> AsyncIterator[Told]:
        """The messages, without end; raises when the stream must end."""
        self._beat_at_s = self._now_s() + self._heartbeat_s
        while True:
            self._surroundings.raise_if_over()
            self._woken.clear()
            self._plan()
            is_current = self._agenda.told_all
            # Whoever waits for the whole state, or was told that some of it is missing, has it now: it says so at once.
            if self._now_s() >= self._beat_at_s or (is_current and not self._said_current):
                yield self._beat(catching_up=not is_current)
            if asked := await self._agenda.next():
                async for told in self._tell_of(asked):
                    yield told
            elif self._agenda.told_all and self._said_current:
                if self._is_token_old():
                    yield self._beat()
                else:
                    await self._wait()

    def _plan(self) -> None:
        """Spreads a sweep, and moves the point up to which everything was told."""
        if self._sweep_below:
            below, self._sweep_below = self._sweep_below, 0
            self._agenda.sweep(one for one, sent in self._sent.items() if sent.revision < below)
        elif self._agenda.told_changes:
            self._progress.complete_to = max(self._progress.complete_to, self._horizon)

    async def _turn_page(self, after: str) -> Sequence[str]:
        if self._ids:
            return self._ids[bisect_right(self._ids, after) :]
        async with self._db.reading(self._merchant_id) as tx:
            return await customer.list_customer_ids(tx, after=after, limit=PAGE)

    async def _tell_of(self, asked: Mapping[str, bool]) -> AsyncIterator[Told]:
        urgent = len(asked) <= URGENT and not any(asked.values())
        loading = {one: self._customers.ask(self._merchant_id, one, urgent=urgent) for one in asked}
        # These are not on the agenda any more, and not told yet.
        waiting = set(loading.values())
        while waiting:
            self._surroundings.raise_if_over()
            _, waiting = await asyncio.wait(waiting, timeout=min(_CHECK_S, self._until_beat_s()))
            if waiting and self._now_s() >= self._beat_at_s:
                yield self._beat(catching_up=True)
        failed = False
        for one, future in loading.items():
            try:
                state = future.result()
            except Unavailable:
                failed = True
                self._agenda.mark_changed([one])
                continue
            if state is None:
                self._sent.pop(one, None)
                self._progress.note(one, None)
            elif (news := self._news_of(state, quiet=asked[one])) is not None:
                self._news_since_beat = True
                yield Told(news, self._resume_token())
        if failed:
            # The database is away; the hub ends the stream if it stays so.
            await asyncio.sleep(RETRY_S)
        else:
            self._agenda.was_told()

    def _news_of(self, state: WatchedCustomer, *, quiet: bool) -> Whole | Changes | None:
        """What the watcher lacks of this customer; remembered as sent."""
        one, before = state.customer_id, self._sent.get(state.customer_id)
        self._sent[one] = state.sent
        self._progress.note(one, state.valid_until if state.used_print is None else None)
        is_known = quiet and state.used_print is None and not self._progress.time_passed()
        if before is None and is_known:
            # As an earlier stream told it, at a revision that only the watcher knows.
            self._sent[one] = replace(state.sent, told_revision=None)
            return None
        found = difference(before, state.sent)
        if found is None or before is None:
            return Whole(state)
        if found.nothing:
            self._sent[one] = replace(state.sent, told_revision=before.told_revision)
            return None
        if before.told_revision is None:
            return Whole(state)
        return Changes(state, before.told_revision, found)

    def _is_token_old(self) -> bool:
        """Whether a token says more now than the one that was sent with the last news.

        What was told since would be told again to whoever continues with that one.
        """
        return self._news_since_beat and self._progress.is_ahead(
            self._agenda.listed_to, some_untold=self._agenda.is_listing
        )

    def _beat(self, *, catching_up: bool = False) -> Told:
        self._beat_at_s = self._now_s() + self._heartbeat_s
        self._news_since_beat = False
        self._said_current = not catching_up
        return Told(Beat(self._clock.now(), catching_up), self._resume_token())

    def _resume_token(self) -> str:
        return self._progress.token(self._agenda.listed_to, some_untold=self._agenda.is_listing)

    async def _wait(self) -> None:
        until_s = self._until_beat_s()
        if (pause_s := self._agenda.seconds_to_wait()) is not None:
            until_s = min(until_s, pause_s)
        try:
            async with asyncio.timeout(until_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _until_beat_s(self) -> float:
        return max(0.0, self._beat_at_s - self._now_s())

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
