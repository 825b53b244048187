"""The wall behind the parser: queries that nobody checked, run as the sandbox's role (EVT-6, faults 45-49).

Here every attack goes to the database as it is. It may fail or answer, but it sees no row of another merchant, changes
nothing, and leaves the connection as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
import pytest_asyncio

from candela_server.kernel.errors import CandelaError
from candela_server.kernel.interval import Interval
from candela_server.metering.model import SqlScope
from candela_server.storage.sql_sandbox import (
    SandboxBusyError,
    SqlMetricFailedError,
    SqlMetricTooCostlyError,
    SqlSandbox,
)

from tests.helpers.sql_attacks import ATTACKS, Attack
from tests.integration.metering.builders import Metering, event

_SECRET = "c4nd3la-f0reign"
_BOMB = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x"

# Against this wall alone; the parser knows none of them.
_MORE = (
    Attack("role by another way", "SELECT set_config('role', 'none', false), * FROM events", ""),
    Attack(
        "session",
        "SELECT set_config('session_authorization', 'postgres', false), * FROM events",
        "",
    ),
    Attack("own scope", "UPDATE sandbox_scope SET merchant_id = 'x' RETURNING 1", ""),
    Attack(
        "no time limit", "SELECT set_config('statement_timeout', '0', false), * FROM events", ""
    ),
    Attack(
        "writing again",
        "SELECT set_config('transaction_read_only', 'off', true), * FROM events",
        "",
    ),
    Attack(
        "barrier off", "SELECT * FROM events WHERE position('c4nd3la' in properties::text) > 0", ""
    ),
    Attack(
        "statistics",
        "SELECT most_common_vals::text FROM pg_stats WHERE tablename LIKE 'event%'",
        "",
    ),
    Attack("whole view", "SELECT * FROM events", ""),
    Attack("view by its schema", "SELECT * FROM pg_temp.events", ""),
    Attack("error with a row in it", "SELECT (properties::text)::numeric FROM events", ""),
    Attack("division by foreign rows", "SELECT sum(1 / (value - 5)) FROM events", ""),
    Attack(
        "large object from a table",
        "SELECT lo_from_bytea(0, properties::text::bytea) FROM events",
        "",
    ),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """Two merchants with one customer each, and the first one's view of itself."""

    scope: SqlScope
    foreign: tuple[str, ...]
    """Texts that only the other merchant, or this one's other customer, has."""


@pytest_asyncio.fixture(loop_scope="session")
async def seeded(metering: Metering, other_metering: Metering) -> Seeded:
    """Own events in and out of the window, another customer's, and another merchant's."""
    acme, neighbour = await metering.add_customer(), await metering.add_customer()
    foreign, now = await other_metering.add_customer(), metering.clock.now()
    secret = {"secret": _SECRET}
    await metering.record(
        event("1", acme, "1", properties={"mine": "yes"}),
        event("2", acme, "5", at=now - timedelta(days=3), properties=secret),
        event("3", neighbour, "5", properties=secret),
    )
    await other_metering.record(event("1", foreign, "5", properties=secret))
    return Seeded(
        SqlScope(
            merchant_id=metering.merchant_id,
            customer_id=acme.id,
            user_id="",
            window=Interval(now - timedelta(days=1), now + timedelta(hours=1)),
        ),
        (_SECRET, neighbour.id, foreign.id, other_metering.merchant_id),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(postgres_dsn: str) -> AsyncIterator[SqlSandbox]:
    """A sandbox whose patience ends after a second."""
    made = SqlSandbox(postgres_dsn, statement_timeout_s=1)
    await made.open()
    yield made
    await made.close()


async def _run(sandbox: SqlSandbox, scope: SqlScope, query: str) -> str:
    """All that a query gives, as one text; or the name and the words of the failure."""
    try:
        async with sandbox.session(scope.merchant_id) as session:
            return str(await session.run(scope, query, 1000))
    except (CandelaError, SqlMetricFailedError) as error:
        return f"{type(error).__name__} {error}"


@pytest.mark.spec("EVT-6")
async def test_unchecked_queries__see_nothing_foreign_and_change_nothing(
    sandbox: SqlSandbox, seeded: Seeded, postgres_dsn: str
) -> None:
    before = _fingerprint(postgres_dsn)

    for attack in (*ATTACKS, *_MORE):
        query = attack.query.replace("\x00", "")
        stealing = (
            "SELECT NULL::timestamptz, count(*)::numeric, array_agg(stolen::text) "
            f"FROM ({query}) AS stolen"
        )
        for one in (query, stealing):
            told = await _run(sandbox, seeded.scope, one)
            assert not [secret for secret in seeded.foreign if secret in told], attack.kind
        # The connection is as it was: own rows only, the role's own rights, and a time limit.
        answer = await _run(
            sandbox,
            seeded.scope,
            "SELECT NULL::timestamptz, count(*)::numeric, ARRAY[current_user::text, "
            "current_setting('statement_timeout'), current_setting('transaction_read_only')] FROM events",
        )
        assert answer == "[(None, Decimal('1'), ['candela_sql', '1s', 'on'])]", attack.kind
    assert _fingerprint(postgres_dsn) == before


@pytest.mark.spec("EVT-6")
async def test_unchecked_query__sees_its_own_customer_and_window_alone(
    sandbox: SqlSandbox, seeded: Seeded
) -> None:
    told = await _run(
        sandbox,
        seeded.scope,
        "SELECT NULL::timestamptz, count(*)::numeric, array_agg(properties::text) FROM events "
        "WHERE merchant_id IS NOT NULL OR customer_id = 'another'",
    )

    assert told == """[(None, Decimal('1'), ['{"mine": "yes"}'])]"""


@pytest.mark.spec("EVT-6")
@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            "SELECT NULL, count(*), NULL FROM generate_series(1, 10000000000)",
            SqlMetricTooCostlyError,
        ),
        (
            "SELECT NULL, count(*), NULL FROM generate_series(1, 100000) a, generate_series(1, 100000) b",
            SqlMetricTooCostlyError,
        ),
        (f"SELECT NULL, ({_BOMB})::numeric, NULL", SqlMetricTooCostlyError),
        (
            "SELECT NULL, count(*), NULL FROM generate_series(1, 3000000) AS n "
            "WHERE repeat('x', 1000) || n ~ '(x+x+)+y'",
            SqlMetricTooCostlyError,
        ),
        (
            "SELECT now(), 1::numeric, NULL::text[] FROM generate_series(1, 2000)",
            SqlMetricTooCostlyError,
        ),
        ("SELECT NULL, 1 / (value - value), NULL FROM events", SqlMetricFailedError),
        (
            "SELECT NULL::timestamptz, properties::text, NULL::text[] FROM events",
            SqlMetricFailedError,
        ),
        ("SELECT count(*) FROM event", SqlMetricFailedError),
        ("SELECT 1; SELECT 2", SqlMetricFailedError),
        ("SELECT NULL, length(pg_read_file('/etc/passwd')), NULL", SqlMetricFailedError),
        ("SELECT NULL, lo_creat(-1)::numeric, NULL", SqlMetricFailedError),
        ("SELECT set_config('role', 'candela_events', false)", SqlMetricFailedError),
        ("DELETE FROM events RETURNING NULL, 1, NULL", SqlMetricFailedError),
    ],
    ids=[
        *("a billion rows", "a cross join", "a recursion", "a regular expression", "too many rows"),
        *("division by zero", "text", "the table", "two statements", "a file", "a large object"),
        *("another role", "a write"),
    ],
)
async def test_unchecked_query__fails_without_the_databases_words(
    sandbox: SqlSandbox, seeded: Seeded, query: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as failed:
        async with sandbox.session(seeded.scope.merchant_id) as session:
            await session.run(seeded.scope, query, 1000)

    assert "mine" not in str(failed.value)


@pytest.mark.spec("EVT-6")
def test_role__can_do_nothing_else(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        [flags] = connection.execute(
            "SELECT rolsuper OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication "
            "FROM pg_roles WHERE rolname = 'candela_sql'"
        )
        memberships = connection.execute(
            "SELECT 1 FROM pg_auth_members WHERE member = 'candela_sql'::regrole"
        ).fetchall()
        relations = connection.execute(
            "SELECT oid::regclass::text FROM pg_class "
            "WHERE (relnamespace = 'public'::regnamespace OR relname LIKE '\\_hyper\\_%chunk') AND ("
            "  has_table_privilege('candela_sql', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
            "  OR relkind IN ('r', 'v', 'm', 'p') AND has_any_column_privilege('candela_sql', oid, 'SELECT'))"
            "  AND relkind <> 'S'"
        ).fetchall()
        definers = connection.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND has_function_privilege('candela_sql', oid, 'EXECUTE') "
            "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
        ).fetchall()
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE has_schema_privilege('candela_sql', oid, 'CREATE') "
            "AND nspname NOT LIKE 'pg_%temp_%'"
        ).fetchall()

    assert flags == (False,)
    assert (memberships, schemas) == ([], [])
    assert [name for (name,) in relations if not name.startswith("procrastinate")] == []
    assert definers == [("candela_measure",)]


@pytest.mark.quiet
@pytest.mark.spec("EVT-6")
async def test_merchant_with_slow_queries__keeps_nobody_else_waiting(
    metering: Metering, other_metering: Metering, sandbox: SqlSandbox, seeded: Seeded
) -> None:
    other = await other_metering.add_customer()
    metric = await other_metering.add_sql_metric("SELECT count(*) FROM events")
    await other_metering.record(event("x", other))
    slow = [
        asyncio.create_task(
            _run(metering.events.sandbox, seeded.scope, f"SELECT NULL, ({_BOMB}), NULL")
        )
        for _ in range(2)
    ]
    await asyncio.sleep(0.2)

    began_s = time.monotonic()
    assert await other_metering.usage(metric, other) == 1
    assert time.monotonic() - began_s < 5

    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.spec("EVT-6")
async def test_more_callers_than_turns__are_told_to_come_again(
    sandbox: SqlSandbox, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candela_server.storage.sql_sandbox._ACQUIRE_TIMEOUT_S", 0.2)

    async with sandbox.session(seeded.scope.merchant_id):
        with pytest.raises(SandboxBusyError):
            async with sandbox.session(seeded.scope.merchant_id):
                pass


def _fingerprint(postgres_dsn: str) -> tuple[object, ...]:
    """What an attack could have changed."""
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute(
            """
            SELECT (SELECT count(*) FROM event), (SELECT sum(value) FROM event),
                   (SELECT count(*) FROM pg_largeobject_metadata),
                   (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
                   (SELECT count(*) FROM pg_roles WHERE pg_has_role('candela_sql', oid, 'MEMBER'))
            """
        ).fetchone()
    assert row is not None
    return tuple(row)
