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
from datetime import datetime
from typing import Final, NamedTuple

from candela_server.kernel.clock import Clock, FixedClock
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


_Batch = tuple[str, datetime | None]
"""Who can be read together: those of one merchant, as of now or of one instant to come."""


class ColdReader:
    """Reads snapshots from the database."""

    def __init__(
        self,
        db: Postgres,
        clock: Clock,
        catalog: RememberedCatalog | None,
        readers: int = READERS,
    ) -> None:
        """Takes where to read, by which clock, what is remembered of catalogs, and how many read at a time."""
        self._most_readers = readers
        self._db = db
        self._clock = clock
        self._catalog = catalog
        self._waiting: dict[_Batch, deque[_Ask]] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def read(
        self,
        merchant_id: str,
        who: Who,
        begin: Callable[[], None],
        *,
        as_of: datetime | None = None,
    ) -> Snapshot:
        """The snapshot as of a transaction that begins after `begin` was called, and as of now or an instant to come.

        Raises DatabaseUnavailableError.
        """
        ask = _Ask(who, begin, asyncio.get_running_loop().create_future())
        self._waiting.setdefault((merchant_id, as_of), deque()).append(ask)
        if len(self._readers) < self._most_readers:
            reader = asyncio.create_task(self._read_on())
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        return await ask.snapshot

    async def _read_on(self) -> None:
        while self._waiting:
            batch, asks = self._take()
            try:
                await self._read(batch, asks)
            finally:
                # However it ended, nobody waits for ever.
                _refuse(asks, DatabaseUnavailableError())

    def _take(self) -> tuple[_Batch, list[_Ask]]:
        """The next ones of one merchant; the merchant's others wait until the other merchants had their turn."""
        batch = next(iter(self._waiting))
        waiting = self._waiting.pop(batch)
        asks = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        if waiting:
            self._waiting[batch] = waiting
        return batch, asks

    async def _read(self, batch: _Batch, asks: Sequence[_Ask]) -> None:
        for ask in asks:
            ask.begin()
        try:
            facts = await self._facts(batch, [ask.who for ask in asks])
        except DatabaseUnavailableError as error:
            _refuse(asks, error)
            return
        except Exception as error:
            if len(asks) == 1:
                _refuse(asks, error)
                return
            # Something is wrong with one of them: the others are answered all the same.
            for ask in asks:
                await self._read(batch, [ask])
            return
        for number, ask in enumerate(asks, start=1):
            try:
                snapshot = snapshot_of(facts, ask.who)
                snapshot.valid_from = batch[1]
            except Exception as error:  # whoever waits must hear of it
                _refuse([ask], error)
            else:
                if not ask.snapshot.done():
                    ask.snapshot.set_result(snapshot)
            if number % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)

    async def _facts(self, batch: _Batch, whos: Sequence[Who]) -> Facts:
        merchant_id, as_of = batch
        clock = self._clock if as_of is None else FixedClock(as_of)
        if self._db.outage.active:
            # Found out by others, while these waited for their turn.
            raise DatabaseUnavailableError
        # Taken before the transaction begins: what is read into a shelf that was dropped meanwhile is nobody's.
        catalog = self._catalog.of(merchant_id) if self._catalog else ReadCatalog()
        try:
            async with asyncio.timeout(READ_TIMEOUT_S), self._db.reading(merchant_id) as tx:
                return await read_facts(tx, clock, whos, catalog)
        except (TimeoutError, DatabaseUnavailableError) as error:
            self._db.outage.begin()
            raise DatabaseUnavailableError from error


def _refuse(asks: Sequence[_Ask], error: Exception) -> None:
    for ask in asks:
        if not ask.snapshot.done():
            ask.snapshot.set_exception(error)
            # Whoever waited may be gone.
            ask.snapshot.exception()
