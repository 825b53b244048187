"""The event store's connections: psycopg, because COPY and pipelines are what ingestion lives on.

They begin as the role candela_events, which alone may touch raw events. Row security cannot guard those tables (COPY,
compression and continuous aggregates refuse it), so every statement names its merchant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from candela_server.kernel.errors import Unavailable

from .sql_sandbox import SqlSandbox

ACQUIRE_TIMEOUT_S = 5.0
WRITERS = 2
"""Two flushes can overlap: while one waits for its commit, the other is prepared."""

Connection = AsyncConnection[TupleRow]


class EventStoreUnavailableError(Unavailable):
    """The event store is not there, or all connections are busy for too long."""

    def __init__(self) -> None:
        super().__init__(
            "the event store cannot answer now; try again in a moment",
            retry_after=timedelta(seconds=1),
        )


class EventStore:
    """Connections for writing flushes and for reading usage."""

    def __init__(self, url: str, *, readers: int = 8) -> None:
        """Connects on `open`."""
        self._writers = _pool(url, WRITERS, "60s")
        self._readers = _pool(url, readers, "30s")
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
        for pool in (self._writers, self._readers):
            await pool.close()
        await self.sandbox.close()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Connection]:
        """A connection for one flush; committed at the end of the block, rolled back on an error."""
        async with _connection(self._writers) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """A connection in a read-only transaction with one snapshot."""
        async with _connection(self._readers) as connection:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield connection
            finally:
                if not connection.closed:
                    await connection.rollback()


@asynccontextmanager
async def _connection(pool: AsyncConnectionPool[Connection]) -> AsyncIterator[Connection]:
    try:
        async with pool.connection(timeout=ACQUIRE_TIMEOUT_S) as connection:
            yield connection
    except (PoolTimeout, psycopg.OperationalError) as error:
        if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
            raise
        raise EventStoreUnavailableError from error


def _pool(url: str, size: int, statement_timeout: str) -> AsyncConnectionPool[Connection]:
    options: dict[str, Any] = {
        "options": f"-c role=candela_events -c timezone=UTC -c lock_timeout=10s "
        f"-c statement_timeout={statement_timeout} -c idle_in_transaction_session_timeout=60s",
        "application_name": "candela-events",
        "autocommit": True,
    }
    return AsyncConnectionPool(
        url, kwargs=options, min_size=1, max_size=size, open=False, name="events"
    )
