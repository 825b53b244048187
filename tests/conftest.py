"""Fixtures: real PostgreSQL (or TimescaleDB), real Valkey, and Candela's own processes.

Every session has servers of its own, so that sessions may run side by side. One migrated database serves a whole
session; tests keep apart by each having its own merchant. A test that looks across merchants (claiming due work,
relaying the outbox) takes `own_database`.

    CANDELA_TEST_POSTGRES_DSN   a server to use instead of the embedded PostgreSQL; the TimescaleDB
                                pass sets it to what `scripts/timescaledb start` printed
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock, SystemClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage import embedded
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.helpers.databases import TestDatabases
from tests.helpers.own_folder import own_folder
from tests.helpers.servers import LiveServer, start_live_server

_REPOSITORY = Path(__file__).parent.parent
_FOLDER = _REPOSITORY / ".candela" / "test"
_SERVER_VARIABLE = "CANDELA_TEST_POSTGRES_DSN"
# 10:00 in New York on the last day of a long month, so that month ends are met from the first test.
_NOW = datetime(2026, 1, 31, 15, tzinfo=UTC)


# The same examples in every run, and none is too slow: what fails is the law, not the draw or the machine. Others are
# tried by `./scripts/test tests/unit --hypothesis-profile=explore`.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", settings.get_profile("same"), derandomize=False, max_examples=1000
)
settings.load_profile("same")


@dataclass(frozen=True, slots=True)
class TestMerchant:
    """A merchant of one test, and its keys."""

    __test__ = False

    id: str
    secret_key: str
    publishable_key: str


def pytest_configure(config: pytest.Config) -> None:
    """Declares the markers, so that a wrong one is an error."""
    config.addinivalue_line("markers", "spec(*ids): the lines of the specification that it proves")
    config.addinivalue_line("markers", "timescaledb: needs hypertables")
    # Whoever ends a session, its servers end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Tracebacks as structlog draws them for a terminal take seconds, in which nothing else of a test runs.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs every asynchronous test on the session's loop, where the pools of its fixtures live."""
    for item in items:
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def embedded_servers() -> Iterator[embedded.Embedded]:
    """PostgreSQL and Valkey from wheels, of this session alone; stopped at its end."""
    with own_folder(_FOLDER) as folder, embedded.start(folder) as servers:
        yield servers


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[TestDatabases]:
    """Makes databases on the server under test."""
    server_url = os.environ.get(_SERVER_VARIABLE)
    if not server_url:
        server_url = request.getfixturevalue("embedded_servers").database_url
    made = TestDatabases(server_url)
    yield made
    made.drop_all()


@pytest.fixture(scope="session")
def postgres_dsn(databases: TestDatabases) -> str:
    """The session's migrated database."""
    return databases.new_migrated()


@pytest.fixture
def own_database(databases: TestDatabases) -> Iterator[str]:
    """A migrated database that no other test sees."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def empty_database(databases: TestDatabases) -> Iterator[str]:
    """A database in which nothing is, not even the schema."""
    with databases.empty() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(embedded_servers: embedded.Embedded) -> str:
    """The session's Valkey."""
    return embedded_servers.redis_url


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at 2026-01-31T15:00:00Z until the test moves it."""
    return FixedClock(_NOW)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def db(postgres_dsn: str) -> AsyncIterator[Postgres]:
    """The relational side of the session's database."""
    opened = Postgres(postgres_dsn, SystemClock())
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def events(postgres_dsn: str) -> AsyncIterator[EventStore]:
    """The event store of the session's database."""
    opened = EventStore(postgres_dsn)
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Valkey, emptied for this test."""
    opened = Redis(redis_url)
    await opened.client.flushdb()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def merchant(db: Postgres, clock: FixedClock) -> TestMerchant:
    """A new test-mode merchant with its first two keys."""
    created = await create_merchant(db, clock, CreateMerchant(name="Tests", mode=Mode.TEST))
    return TestMerchant(created.merchant.id, created.secret.text, created.publishable.text)


@pytest.fixture(scope="session")
def live_server(
    postgres_dsn: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """`candela serve` and `candela worker` on the session's database; ended by pid."""
    live = start_live_server(postgres_dsn, redis_url, tmp_path_factory.mktemp("candela"))
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def _require_timescaledb(request: pytest.FixtureRequest) -> None:
    """Skips what needs hypertables where there are none; never in the TimescaleDB pass of CI."""
    if request.node.get_closest_marker("timescaledb") is None:
        return
    url = request.getfixturevalue("postgres_dsn")
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
    if found is not None:
        return
    message = "this server has no TimescaleDB"
    if os.environ.get("CI") == "true" and os.environ.get(_SERVER_VARIABLE):
        pytest.fail(f"{message}, but CI's TimescaleDB pass must have it")
    pytest.skip(message)
