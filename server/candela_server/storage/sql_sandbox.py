"""Where metrics in SQL are run: a small pool of its own, read-only, as a role that can do nothing else (EVT-6).

This is the wall behind the parser's. A query is given as text to candela_measure, which runs it as candela_sql; that
role's only relation is this session's temporary view `events`, and the view shows one merchant's, one customer's
events of one window, because a temporary table that the role can neither see nor write says so. Whatever the text
holds, it cannot read another row, cannot write, cannot last longer, and leaves nothing behind: every transaction is
rolled back. What PostgreSQL says of a failure may quote a row, so it stays here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from candela_server.kernel.errors import CandelaError, OverLimit, Unavailable
from candela_server.kernel.interval import Interval

log = structlog.get_logger()

SESSIONS: Final = 3
"""Connections for SQL metrics: few, so that they never take the processors from checks and ingestion."""

SESSIONS_OF_A_MERCHANT: Final = 1
"""At once, so that one merchant's slow query leaves room for all others."""

STATEMENT_TIMEOUT_S: Final = 10
MAX_COST: Final = 20_000_000.0
"""In the planner's units, some 7 for each event and whether it counts: a few million events, or a mistake."""

_ACQUIRE_TIMEOUT_S: Final = 15.0
CONNECT_TIMEOUT_S: Final = 5
_WORK_MEM_MB: Final = 16
_TEMP_FILES_MB: Final = 512

Row: TypeAlias = tuple[datetime | None, Decimal | None, list[str] | None]
"""A quarter-hour, a number, distinct values: what a query gives, the first only when it is by quarter-hours."""

# The events that metrics see: those of counted_event, which alone says which events count. That view checks rights as
# whoever asks, also when another view reads it, and candela_sql has none; so its own text is made a view of this
# session's, which checks them as candela_events.
_EVENTS = """
    CREATE TEMPORARY TABLE sandbox_scope (
        only_row    boolean PRIMARY KEY CHECK (only_row),
        merchant_id text COLLATE "C" NOT NULL,
        customer_id text COLLATE "C" NOT NULL,
        user_id     text COLLATE "C" NOT NULL,
        start_at    timestamptz NOT NULL,
        end_at      timestamptz NOT NULL
    );
    DO $$ BEGIN
        EXECUTE 'CREATE TEMPORARY VIEW counted_event AS ' || pg_get_viewdef('public.counted_event'::regclass);
    END $$;
    CREATE TEMPORARY VIEW events WITH (security_barrier) AS
        SELECT event.merchant_id, event.customer_id, event.name, event.happened_at AS "timestamp", event.value,
               event.user_id, event.idempotency_key, event.properties
        FROM sandbox_scope AS scope
        JOIN pg_temp.counted_event AS event
          ON event.merchant_id = scope.merchant_id AND event.customer_id = scope.customer_id
         AND event.happened_at >= scope.start_at AND event.happened_at < scope.end_at
         AND (scope.user_id = '' OR event.user_id = scope.user_id)
        WHERE scope.only_row;
    GRANT SELECT ON events TO candela_sql;
"""

_Connection: TypeAlias = AsyncConnection[TupleRow]


class SqlMetricTooCostlyError(OverLimit):
    """A metric's query reads or computes more than one may; nothing was measured (EVT-6)."""

    def __init__(self) -> None:
        super().__init__(
            "a metric's SQL takes too long, too much memory or too many rows; ask for a shorter window, make the query "
            "simpler, or make the metric indexed",
            retry_after=timedelta(seconds=30),
        )


class SandboxBusyError(Unavailable):
    """All connections for SQL metrics are taken, or the database is not there."""

    def __init__(self) -> None:
        super().__init__(
            "metrics in SQL cannot be measured now; try again in a moment",
            retry_after=timedelta(seconds=1),
        )


class SqlMetricFailedError(Exception):
    """The query failed in the database, for example because a number grew too large. Carries no text of it."""


class Scope(Protocol):
    """All that a query may see. `user_id` "" is the whole customer."""

    @property
    def merchant_id(self) -> str:
        """Whose data."""
        ...

    @property
    def customer_id(self) -> str:
        """Whose events."""
        ...

    @property
    def user_id(self) -> str:
        """Which user's, or ""."""
        ...

    @property
    def window(self) -> Interval:
        """From when, and until before when."""
        ...


class SandboxSession:
    """One connection in a read-only transaction, with the snapshot it was given."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def share(self, snapshot: str) -> None:
        """Sees exactly what the transaction that exported this snapshot sees. Must come before any `run`."""
        name = snapshot.replace("'", "")
        await self._connection.execute(f"SET TRANSACTION SNAPSHOT '{name}'".encode())

    async def run(self, scope: Scope, query: str, most_rows: int) -> list[Row]:
        """The rows of a query over this scope. Raises SqlMetricTooCostlyError and SqlMetricFailedError."""
        try:
            await self._connection.execute(
                """
                INSERT INTO pg_temp.sandbox_scope (only_row, merchant_id, customer_id, user_id, start_at, end_at)
                VALUES (true, %s, %s, %s, %s, %s)
                ON CONFLICT (only_row) DO UPDATE SET
                    merchant_id = excluded.merchant_id, customer_id = excluded.customer_id,
                    user_id = excluded.user_id, start_at = excluded.start_at, end_at = excluded.end_at
                """,
                [
                    scope.merchant_id,
                    scope.customer_id,
                    scope.user_id,
                    scope.window.start_at,
                    scope.window.end_at,
                ],
            )
            cursor = await self._connection.execute(
                "SELECT bucket_at, value, members FROM public.candela_measure(%s, %s, %s)",
                [query, MAX_COST, most_rows],
            )
            return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
        except psycopg.Error as error:
            # Without its cause: the database's message may quote a row, and logs show causes.
            raise _generic(error) from None


class SqlSandbox:
    """The pool. Connects when the first metric in SQL is measured."""

    def __init__(self, url: str, *, statement_timeout_s: int = STATEMENT_TIMEOUT_S) -> None:
        self._pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            url,
            kwargs={
                "options": f"{_OPTIONS} -c statement_timeout={statement_timeout_s}s",
                "application_name": "candela-sql",
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_S,
                # As of the event store's other connections: a server that vanished is noticed.
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
            },
            min_size=0,
            max_size=SESSIONS,
            open=False,
            configure=_prepare,
            name="sql",
        )
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def open(self) -> None:
        """Makes the pool, without a connection."""
        await self._pool.open()

    async def close(self) -> None:
        """Ends the connections."""
        await self._pool.close()

    @asynccontextmanager
    async def session(self, merchant_id: str) -> AsyncIterator[SandboxSession]:
        """A connection for the merchant's queries, when it is its turn. Raises SandboxBusyError."""
        turn = self._turns.setdefault(merchant_id, asyncio.Semaphore(SESSIONS_OF_A_MERCHANT))
        try:
            async with asyncio.timeout(_ACQUIRE_TIMEOUT_S):
                await turn.acquire()
        except TimeoutError as error:
            raise SandboxBusyError from error
        try:
            async with self._connection() as connection:
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                try:
                    yield SandboxSession(connection)
                finally:
                    if not connection.closed:
                        # Locks that a query took for the session, if ever one could, would outlive its transaction.
                        await connection.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")
        finally:
            turn.release()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        try:
            async with self._pool.connection(timeout=_ACQUIRE_TIMEOUT_S) as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise SandboxBusyError from error


_OPTIONS = " ".join(
    [
        "-c role=candela_events -c default_transaction_read_only=on -c timezone=UTC",
        "-c standard_conforming_strings=on -c search_path=pg_catalog,pg_temp",
        "-c lock_timeout=2s",
        "-c idle_in_transaction_session_timeout=60s",
        f"-c work_mem={_WORK_MEM_MB}MB -c hash_mem_multiplier=1 -c jit=off -c max_parallel_workers_per_gather=0",
    ]
)


async def _prepare(connection: _Connection) -> None:
    """Makes a new connection's scope and view, and bounds its temporary files where it may."""
    await connection.execute("BEGIN READ WRITE")
    await connection.execute(_EVENTS.encode())
    await connection.execute("COMMIT")
    # Only a superuser, or who was granted the parameter, may set it; elsewhere the operator sets it for the database.
    cursor = await connection.execute(
        "SELECT has_parameter_privilege(session_user, 'temp_file_limit', 'SET')"
    )
    row: Any = await cursor.fetchone()
    if row[0]:
        await connection.execute("SET ROLE NONE")
        await connection.execute(f"SET temp_file_limit = '{_TEMP_FILES_MB}MB'".encode())
        await connection.execute("SET ROLE candela_events")


def _generic(error: psycopg.Error) -> CandelaError | SqlMetricFailedError | psycopg.Error:
    """What may be told of a failure: never the database's own words."""
    log.warning("sql_metric_failed", sqlstate=error.sqlstate)
    if error.sqlstate in ("CS001", "CS002", "57014", "53400", "53200", "53100", "54000", "54001"):
        return SqlMetricTooCostlyError()
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return SandboxBusyError()
    return SqlMetricFailedError()
