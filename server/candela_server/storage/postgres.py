"""The relational side: pools of connections that begin inside the tenant wall, and transactions on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any

import asyncpg

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, Unavailable

from .outage import Outage
from .transaction import Row as Row
from .transaction import Tx as Tx
from .transaction import to_json

ACQUIRE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 60.0
ROLLBACK_TIMEOUT_S = 0.5
RETRY_AFTER = timedelta(seconds=1)

_SERVER_SETTINGS = {
    "application_name": "candela",
    "timezone": "UTC",
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    # Plans are per merchant and period; a generic plan is right for all of them and saves planning each time.
    "plan_cache_mode": "auto",
}

_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    # How the driver speaks of a connection that died in the middle of an operation: its state fits nothing any more.
    asyncpg.InternalClientError,
)


class DatabaseUnavailableError(Unavailable):
    """PostgreSQL is not there, or all connections are busy for too long."""

    def __init__(self) -> None:
        super().__init__(
            "the database cannot answer now; try again in a moment", retry_after=RETRY_AFTER
        )


class Postgres:
    """Transactions of one merchant (`reading`, `writing`) and of jobs over all of them (`system`).

    The tenant pool's connections begin as the role candela_app, so that row security applies to whatever they run;
    the merchant is set per transaction and gone with it.
    """

    def __init__(self, url: str, clock: Clock, *, pool_size: int = 10) -> None:
        """Connects on `open`."""
        self._url = url
        self._clock = clock
        self._pool_size = pool_size
        self._tenants: asyncpg.Pool | None = None
        self._system: asyncpg.Pool | None = None
        self.outage = Outage(url)

    @property
    def url(self) -> str:
        """Where the database is."""
        return self._url

    async def open(self) -> None:
        """Makes the pools; connections follow as they are needed. Raises when the first one fails."""
        try:
            self._tenants = await self._pool("candela_app", self._pool_size)
            self._system = await self._pool("candela_system", max(2, self._pool_size // 4))
        except asyncpg.CannotConnectNowError as error:
            # It is there, and recovering from a crash or shutting down.
            raise DatabaseUnavailableError from error

    async def close(self) -> None:
        """Waits for transactions in progress and ends the connections."""
        await self.outage.close()
        for pool in (self._tenants, self._system):
            if pool is not None:
                await pool.close()

    @asynccontextmanager
    async def reading(self, merchant_id: str) -> AsyncIterator[Tx]:
        """A read-only transaction of one merchant; one snapshot for all its statements."""
        async with self._transaction(
            self._tenants, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", merchant_id
        ) as tx:
            yield tx

    @asynccontextmanager
    async def writing(self, merchant_id: str) -> AsyncIterator[Tx]:
        """A transaction of one merchant, committed at the end of the block."""
        async with self._transaction(self._tenants, "BEGIN", merchant_id) as tx:
            yield tx

    @asynccontextmanager
    async def rehearsing(self, merchant_id: str) -> AsyncIterator[Tx]:
        """A transaction of one merchant that is rolled back at the end of the block: for looking at what would come."""
        async with self._transaction(self._tenants, "BEGIN", merchant_id, end="ROLLBACK") as tx:
            yield tx

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Tx]:
        """A transaction over all merchants, with the few rights that jobs need."""
        async with self._transaction(self._system, "BEGIN", "") as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(
        self, pool: asyncpg.Pool | None, begin: str, merchant_id: str, *, end: str = "COMMIT"
    ) -> AsyncIterator[Tx]:
        assert pool is not None, "Postgres.open was not awaited"
        async with _acquired(pool) as connection:
            try:
                # One round trip for both; the id is made by us, and quoted all the same.
                await connection.execute(
                    f"{begin}; SELECT set_config('candela.merchant_id', {_quoted(merchant_id)}, true)"
                )
                yield Tx(connection, self._clock, merchant_id, rehearsal=end == "ROLLBACK")
                await connection.execute(end)
            except BaseException:
                if not connection.is_closed():
                    await asyncio.shield(_roll_back(connection))
                raise

    async def _pool(self, role: str, size: int) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            # A setting of the connection's start, which RESET ALL returns to: the role cannot leak away.
            server_settings={**_SERVER_SETTINGS, "role": role},
            init=_prepare_connection,
            reset=_no_reset,
        )


@contextmanager
def unique_or(constraint: str, refusal: CandelaError) -> Iterator[None]:
    """Raises `refusal` where the unique constraint of this name refuses a row; any other error stays what it is."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != constraint:
            raise
        raise refusal from error


def check_violation(error: BaseException) -> str | None:
    """The name of the check constraint that refused a row; None for any other error."""
    if isinstance(error, asyncpg.CheckViolationError):
        name: str | None = error.constraint_name
        return name
    return None


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction may succeed when run again: a deadlock or a serialisation failure."""
    return isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def is_timeout(error: BaseException) -> bool:
    """Whether a statement took longer than any may."""
    return isinstance(error, TimeoutError | asyncpg.QueryCanceledError)


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a row stayed locked by another transaction for too long."""
    return isinstance(error, asyncpg.LockNotAvailableError)


@asynccontextmanager
async def _acquired(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    try:
        connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    except (TimeoutError, *_LOST) as error:
        raise DatabaseUnavailableError from error
    try:
        yield connection
    except _LOST as error:
        raise DatabaseUnavailableError from error
    finally:
        await asyncio.shield(_give_back(pool, connection))


async def _give_back(pool: asyncpg.Pool, connection: Any) -> None:
    try:
        await pool.release(connection, timeout=ACQUIRE_TIMEOUT_S)
    except (TimeoutError, *_LOST):
        # It died in use. What was done on it is decided: committed, or refused with an error that must not be hidden.
        with suppress(asyncpg.InterfaceError):
            connection.terminate()


async def _roll_back(connection: Any) -> None:
    try:
        # A statement that was given up is cancelled first, which a server that hangs would never acknowledge.
        async with asyncio.timeout(ROLLBACK_TIMEOUT_S):
            await connection.execute("ROLLBACK")
    except (TimeoutError, asyncpg.PostgresError, *_LOST):
        # The connection is of no use any more; closing it ends the transaction as well.
        connection.terminate()


async def _prepare_connection(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=to_json, decoder=json.loads, schema="pg_catalog"
        )


async def _no_reset(_connection: Any) -> None:
    """Nothing outlives a transaction here: settings are local to it, and there are no session locks or cursors."""


def _quoted(text: str) -> str:
    assert "\\" not in text, "a merchant id holds letters, digits and _ only"
    return "'" + text.replace("'", "''") + "'"
