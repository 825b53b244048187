"""Builds the snapshots that nobody remembers, many from one reading: a herd of cold checks must not be refused (ENT-5).

A few readers take what waits, merchant by merchant. Whoever asks alone is read at once; whoever asks while all read is
gathered with the others and read as a set, in a dozen statements however many they are. After a change that concerns
everybody, thousands of customers so cost PostgreSQL some tens of transactions.

One that cannot be read spoils no other. A database that does not answer one reading in time is away: whoever waits is
told so at once, so a place in the queue is never waited for in vain.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

from .build_snapshot import snapshot_of
from .model import Snapshot
from .remembered_catalog import ReadCatalog, RememberedCatalog
from .snapshot_facts import Facts, Who, read_facts

READERS: Final = 4
"""Transactions at the same time: enough to fill a core, few enough to leave PostgreSQL to others."""

BATCH: Final = 64

READ_TIMEOUT_S: Final = 1.5
"""How long the database may take for one reading before it counts as failed."""

_AT_A_STRETCH: Final = 8
"""So many are resolved before other tasks get to run: a warm check must not wait for a whole batch."""


class _Ask(NamedTuple):
    """Somebody to be read. `begin` is called before the transaction that reads."""

    who: Who
    begin: Callable[[], None]
    snapshot: asyncio.Future[Snapshot]


class ColdReader:
    """Reads snapshots from the database; one per process."""

    def __init__(self, db: Postgres, clock: Clock, catalog: RememberedCatalog | None) -> None:
        """Takes where to read, by which clock, and what is remembered of catalogs."""
        self._db = db
        self._clock = clock
        self._catalog = catalog
        self._waiting: dict[str, deque[_Ask]] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def read(self, merchant_id: str, who: Who, begin: Callable[[], None]) -> Snapshot:
        """The snapshot as of a transaction that begins after `begin` was called. Raises DatabaseUnavailableError."""
        ask = _Ask(who, begin, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(merchant_id, deque()).append(ask)
        if len(self._readers) < READERS:
            reader = asyncio.create_task(self._read_on())
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        return await ask.snapshot

    async def _read_on(self) -> None:
        while self._waiting:
            merchant_id, asks = self._take()
            try:
                await self._read(merchant_id, asks)
            finally:
                # However it ended, nobody waits for ever.
                _refuse(asks, DatabaseUnavailableError())

    def _take(self) -> tuple[str, list[_Ask]]:
        """The next ones of one merchant; the merchant's others wait until the other merchants had their turn."""
        merchant_id = next(iter(self._waiting))
        waiting = self._waiting.pop(merchant_id)
        asks = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        if waiting:
            self._waiting[merchant_id] = waiting
        return merchant_id, asks

    async def _read(self, merchant_id: str, asks: Sequence[_Ask]) -> None:
        for ask in asks:
            ask.begin()
        try:
            facts = await self._facts(merchant_id, [ask.who for ask in asks])
        except DatabaseUnavailableError as error:
            _refuse(asks, error)
            return
        except Exception as error:
            if len(asks) == 1:
                _refuse(asks, error)
                return
            # Something is wrong with one of them: the others are answered all the same.
            for ask in asks:
                await self._read(merchant_id, [ask])
            return
        for number, ask in enumerate(asks, start=1):
            try:
                snapshot = snapshot_of(facts, ask.who)
            except Exception as error:  # whoever waits must hear of it
                _refuse([ask], error)
            else:
                if not ask.snapshot.done():
                    ask.snapshot.set_result(snapshot)
            if number % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)

    async def _facts(self, merchant_id: str, whos: Sequence[Who]) -> Facts:
        if self._db.outage.active:
            # Found out by others, while these waited for their turn.
            raise DatabaseUnavailableError
        # Taken before the transaction begins: what is read into a shelf that was dropped meanwhile is nobody's.
        catalog = self._catalog.of(merchant_id) if self._catalog else ReadCatalog()
        try:
            async with asyncio.timeout(READ_TIMEOUT_S), self._db.reading(merchant_id) as tx:
                return await read_facts(tx, self._clock, whos, catalog)
        except (TimeoutError, DatabaseUnavailableError) as error:
            self._db.outage.begin()
            raise DatabaseUnavailableError from error


def _refuse(asks: Sequence[_Ask], error: Exception) -> None:
    for ask in asks:
        if not ask.snapshot.done():
            ask.snapshot.set_exception(error)
            # Whoever waited may be gone.
            ask.snapshot.exception()
