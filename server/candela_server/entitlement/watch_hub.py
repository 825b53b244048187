"""Hears what changes in this process's stead and marks it on the streams that watch it (ENT-8).

A change is heard from PostgreSQL within milliseconds. Once a second the hub also reads what changed, from the
database itself: that finds what was not heard, and says up to where a resume token may claim to be complete. While it
cannot look, streams end: a heartbeat would say that all is well.

Usage leaves no such trace: follow_usage.py.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

import structlog

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Postgres

from . import watch_store
from .check_entitlement import Checker
from .follow_usage import UsageFollower
from .load_watched import Show, WatchedCustomers
from .rules.resume_token import Watched, digest_of
from .watch import WatchStream
from .watched import Told, TooManyWatchersError, WatchedCustomer, WatchInterruptedError
from .watched_merchant import KnownCustomer, WatchedMerchant

log = structlog.get_logger("candela.watch")

HEARTBEAT_S = 10.0
"""The contract promises 15 seconds."""
LOOK_S = 1.0
BLIND_AFTER_S = 10.0
"""Streams end when the database could not be asked for so long."""
MIN_ENDS = 1_000
MAX_STREAMS = 1_000
"""Streams of one process: half of the calls that it takes at a time."""
RETRY_AFTER = timedelta(seconds=1)


class WatchHub:
    """Serves every Watch of one process; `start` before use."""

    def __init__(
        self,
        db: Postgres,
        checker: Checker,
        clock: Clock,
        secret: bytes,
        show: Show,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        look_s: float = LOOK_S,
    ) -> None:
        """Takes who answers checks, how an answer is shown, and the secret behind resume tokens."""
        self._db = db
        self._checker = checker
        self._clock = clock
        self._secret = secret
        self._heartbeat_s = heartbeat_s
        self._look_s = look_s
        self._customers = WatchedCustomers(db, checker, show, self._learn)
        self._merchants: dict[str, WatchedMerchant] = {}
        self._usage = UsageFollower(checker, self._merchants, self._mark_moved, look_s)
        self._ends: list[tuple[datetime, str, str]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._missed = False
        self._looked_at_s = 0.0

    async def start(self) -> None:
        """Begins to look around."""
        self._looked_at_s = self._now_s()
        self._tasks = [
            asyncio.create_task(self._keep_looking()),
            asyncio.create_task(self._usage.follow_forever()),
        ]

    async def stop(self) -> None:
        """Ends all streams, and what runs in the background."""
        self._stopping = True
        for stream in self._all_streams():
            stream.wake()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._customers.stop()

    def changed(self, merchant_id: str, customer_id: str | None) -> None:
        """Something changed for a customer, or for all of a merchant's; snapshots were dropped before this."""
        merchant = self._merchants.get(merchant_id)
        if merchant is None:
            return
        self._customers.forget(merchant_id, customer_id)
        for stream in merchant.streams:
            if customer_id is None or stream.watches(customer_id):
                stream.mark_changed(customer_id)

    def missed(self) -> None:
        """Changes may not have been heard: the next look finds them."""
        self._missed = True
        self._customers.forget_all()

    async def watch(
        self, merchant_id: str, customer_ids: Sequence[str], resume_token: str
    ) -> AsyncGenerator[Told, None]:
        """One stream. Raises CustomerNotFoundError, ResumeTokenExpiredError, and what ends streams."""
        self.raise_if_over()
        if sum(len(merchant.streams) for merchant in self._merchants.values()) >= MAX_STREAMS:
            raise TooManyWatchersError(MAX_STREAMS)
        stream = WatchStream(
            self._db,
            self._clock,
            self._customers,
            self,
            Watched(
                secret=self._secret, merchant_id=merchant_id, customers=digest_of(customer_ids)
            ),
            customer_ids,
            heartbeat_s=self._heartbeat_s,
        )
        # Marked from here on, so that nothing is lost between reading where to begin and listening.
        merchant = self._merchants.setdefault(merchant_id, WatchedMerchant())
        merchant.streams.add(stream)
        try:
            revision = await stream.begin(resume_token)
            merchant.since = revision if merchant.since is None else min(merchant.since, revision)
            async for told in stream.tell():
                yield told
        finally:
            self._leave(merchant_id, merchant, stream)

    def raise_if_over(self) -> None:
        """Raises WatchInterruptedError when streams must end."""
        if self._stopping:
            raise WatchInterruptedError(
                "the server stops; watch again with the last resume_token", retry_after=RETRY_AFTER
            )
        if self._now_s() - self._looked_at_s > BLIND_AFTER_S:
            raise WatchInterruptedError(
                "the server cannot see what changes now; watch again with the last resume_token",
                retry_after=RETRY_AFTER,
            )

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _leave(self, merchant_id: str, merchant: WatchedMerchant, stream: WatchStream) -> None:
        """Forgets a stream, and what was known of customers whom nobody watches now: it is not kept current."""
        merchant.streams.discard(stream)
        if not merchant.streams:
            if self._merchants.get(merchant_id) is merchant:
                del self._merchants[merchant_id]
                self._customers.forget(merchant_id, None)
        elif all(other.customer_ids for other in merchant.streams):
            watched = frozenset[str]().union(*(other.customer_ids for other in merchant.streams))
            for one in stream.customer_ids or list(merchant.known):
                if one not in watched:
                    merchant.known.pop(one, None)
                    self._customers.forget(merchant_id, one)

    def _all_streams(self) -> list[WatchStream]:
        return [stream for merchant in self._merchants.values() for stream in merchant.streams]

    def _learn(self, merchant_id: str, state: WatchedCustomer) -> None:
        """Remembers what time and usage may do to a customer."""
        merchant = self._merchants.get(merchant_id)
        if merchant is None:
            return
        known = merchant.known.get(state.customer_id)
        merchant.known[state.customer_id] = KnownCustomer(state.valid_until, state.used_print)
        until = state.valid_until
        if until is not None and (known is None or known.valid_until != until):
            heapq.heappush(self._ends, (until, merchant_id, state.customer_id))
            self._drop_stale_ends()

    def _drop_stale_ends(self) -> None:
        """Keeps the ends of those who are watched, once there are twice as many: watchers come and go."""
        if len(self._ends) < MIN_ENDS + 2 * sum(len(one.known) for one in self._merchants.values()):
            return
        self._ends = [
            (known.valid_until, merchant_id, customer_id)
            for merchant_id, merchant in self._merchants.items()
            for customer_id, known in merchant.known.items()
            if known.valid_until is not None
        ]
        heapq.heapify(self._ends)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            self._mark_ended()
            try:
                await self._look()
            except Exception as error:  # the next second tries again, and streams end before long
                log.warning("watch_blind", exc_info=error)

    async def _look(self) -> None:
        """Marks what changed since the last look, and tells streams up to where that is all."""
        since = {
            one: merchant.since
            for one, merchant in self._merchants.items()
            if merchant.since is not None
        }
        missed, self._missed = self._missed, False
        if since:
            try:
                async with self._db.system() as tx:
                    revision, changes = await watch_store.look_around(tx, since)
            except BaseException:
                self._missed = self._missed or missed
                raise
            for merchant_id, customer_id, xid in changes:
                # What is not surely complete yet is heard, or comes in a later look.
                if xid < revision or missed:
                    self._mark_seen(merchant_id, customer_id, xid)
            for one, before in since.items():
                merchant = self._merchants.get(one)
                if merchant is not None and merchant.since == before:
                    merchant.since = revision
                    for stream in merchant.streams:
                        stream.seen_up_to(revision)
        self._looked_at_s = self._now_s()

    def _mark_seen(self, merchant_id: str, customer_id: str, xid: int) -> None:
        merchant = self._merchants.get(merchant_id)
        if merchant is None:
            return
        whom = None if customer_id == watch_store.EVERYBODY else customer_id
        marked = [
            stream.mark_changed(whom, xid)
            for stream in merchant.streams
            if whom is None or stream.watches(whom)
        ]
        if any(marked):
            self._customers.forget(merchant_id, whom)

    def _mark_ended(self) -> None:
        """Marks the customers whose state time has changed."""
        now = self._clock.now()
        while self._ends and self._ends[0][0] <= now:
            until, merchant_id, customer_id = heapq.heappop(self._ends)
            merchant = self._merchants.get(merchant_id)
            known = merchant.known.get(customer_id) if merchant else None
            if merchant is not None and known is not None and known.valid_until == until:
                self._mark_moved(merchant_id, merchant, customer_id)

    def _mark_moved(self, merchant_id: str, merchant: WatchedMerchant, customer_id: str) -> None:
        self._customers.forget_usage(merchant_id, customer_id)
        for stream in merchant.streams:
            stream.mark_moved(customer_id)
