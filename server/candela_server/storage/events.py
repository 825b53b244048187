"""The event store's connections: psycopg, because COPY and pipelines are what ingestion lives on.

They begin as the role candela_events, which alone may touch raw events. Row security cannot guard those tables (COPY,
compression and continuous aggregates refuse it), so every statement names its merchant.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from candela_server.kernel.errors import Unavailable

from .outage import Outage
from .sql_sandbox import SqlSandbox

ACQUIRE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5
WRITERS = 2
"""Two flushes can overlap: while one waits for its commit, the other is prepared."""

Connection = AsyncConnection[TupleRow]
Cursor = AsyncCursor[TupleRow]
"""A question that was asked, and from which the rows are fetched."""


class EventStoreUnavailableError(Unavailable):
    """The event store is not there, or all connections are busy for too long."""

    def __init__(self) -> None:
        super().__init__(
            "the event store cannot answer now; try again in a moment",
            retry_after=timedelta(seconds=1),
        )


class EventStore:
    """Connections for writing flushes and for reading usage."""

    def __init__(self, url: str, *, readers: int = 8, outage: Outage | None = None) -> None:
        """Connects on `open`. `outage` is shared with whoever else uses the same database."""
        self.outage = outage or Outage(url)
        # How long a pool goes on trying by itself; after that, whoever asks next makes it try again at once. Flushes
        # wait that long for their connection, checks do not.
        self._writers = _pool(url, WRITERS, "60s", reconnect_s=ACQUIRE_TIMEOUT_S)
        self._readers = _pool(url, readers, "30s", reconnect_s=1.0)
        self.sandbox = SqlSandbox(url)
        """Where metrics in SQL are run (EVT-6)."""

    async def open(self) -> None:
        """Makes the pools. Raises EventStoreUnavailableError when the database is not there."""
        for pool in (self._writers, self._readers):
            try:
                await pool.open(wait=True, timeout=ACQUIRE_TIMEOUT_S)
            except PoolTimeout as error:
                raise EventStoreUnavailableError from error
        await self.sandbox.open()

    async def close(self) -> None:
        """Ends the connections."""
        await self.outage.close()
        for pool in (self._writers, self._readers):
            await pool.close()
        await self.sandbox.close()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Connection]:
        """A connection for one flush; committed at the end of the block, rolled back on an error."""
        async with _connection(self._writers) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def piecewise_writer(self) -> AsyncIterator[Connection]:
        """As `writer`, for who begins and commits himself, so that this takes no round trips of its own."""
        async with _connection(self._writers) as connection:
            yield connection

    @asynccontextmanager
    async def reader(self, *, within_s: float | None = None) -> AsyncIterator[Connection]:
        """A connection in a read-only transaction with one snapshot.

        After `within_s` it is hung up on, so that a database that hangs holds nobody longer.
        """
        async with _connection(self._readers, within_s) as connection:
            hanging_up = (
                asyncio.get_running_loop().call_later(within_s, _hang_up, connection)
                if within_s is not None
                else None
            )
            try:
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield connection
            finally:
                try:
                    if not connection.closed:
                        await connection.rollback()
                finally:
                    if hanging_up is not None:
                        hanging_up.cancel()


@asynccontextmanager
async def _connection(
    pool: AsyncConnectionPool[Connection], within_s: float | None = None
) -> AsyncIterator[Connection]:
    wait_s = ACQUIRE_TIMEOUT_S if within_s is None else min(within_s, ACQUIRE_TIMEOUT_S)
    try:
        async with pool.connection(timeout=wait_s) as connection:
            yield connection
    except (PoolTimeout, psycopg.OperationalError) as error:
        if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
            raise
        raise EventStoreUnavailableError from error


def _hang_up(connection: Connection) -> None:
    """Ends a connection under whoever waits for its answer.

    Giving up the waiting would not: psycopg then asks the server to cancel, and waits for that.
    """
    with (
        suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def _pool(
    url: str, size: int, statement_timeout: str, *, reconnect_s: float
) -> AsyncConnectionPool[Connection]:
    options: dict[str, Any] = {
        "options": f"-c role=candela_events -c timezone=UTC -c lock_timeout=10s "
        f"-c statement_timeout={statement_timeout} -c idle_in_transaction_session_timeout=60s",
        "application_name": "candela-events",
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_S,
        # A server that vanished without a word is noticed, whatever the machine's own settings are.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    return AsyncConnectionPool(
        url,
        kwargs=options,
        min_size=1,
        max_size=size,
        open=False,
        name="events",
        reconnect_timeout=reconnect_s,
    )
