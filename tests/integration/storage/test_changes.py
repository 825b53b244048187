"""Hearing what others committed, and knowing when one may have missed it (ENT-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg
import pytest

from candela_server.kernel.clock import SystemClock
from candela_server.storage.changes import Changes
from candela_server.storage.listen import LEASE_S, SETTLING_S, Listener
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

from tests.helpers.databases import TestDatabases
from tests.helpers.proxy import Proxy
from tests.helpers.waiting import becomes

pytestmark = pytest.mark.quiet

MERCHANT = "mer_tests"


@dataclass(slots=True)
class Ear:
    """One process's ear, and what it heard."""

    db: Postgres
    changes: list[tuple[str, str | None]] = field(default_factory=list)
    gaps: int = 0
    lost_counts: int = 0
    listening: Changes = field(init=False)

    async def start(self) -> None:
        def missed() -> None:
            self.gaps += 1

        def lost() -> None:
            self.lost_counts += 1

        self.listening = Changes(
            self.db, lambda *changed: self.changes.append(changed), missed, lost
        )
        await self.listening.start()

    async def change(self, customer_id: str | None) -> float:
        """Commits a change as a mutation does; how long everybody needed to hear of it."""
        token = self.listening.token()
        async with self.db.writing(MERCHANT) as tx:
            await tx.entitlements_changed(customer_id)
            await tx.send_token(token)
        began = time.monotonic()
        await self.listening.until_heard(token)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def database(databases: TestDatabases) -> Iterator[str]:
    """A database in which nobody else listens."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
async def far_db(database: str) -> AsyncIterator[tuple[Postgres, Proxy]]:
    """A process that reaches the database through a network that can go wrong."""
    port = urlsplit(database).port
    assert port is not None
    with Proxy(port) as proxy:
        opened = Postgres(proxy.url(database), SystemClock())
        await opened.open()
        yield opened, proxy
        proxy.cut()
        proxy.heal()
        await opened.close()


@pytest.fixture
async def near_db(database: str) -> AsyncIterator[Postgres]:
    opened = Postgres(database, SystemClock())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def ears(near_db: Postgres, far_db: tuple[Postgres, Proxy]) -> AsyncIterator[tuple[Ear, Ear]]:
    near, far = Ear(near_db), Ear(far_db[0])
    await near.start()
    await far.start()
    await becomes(lambda: near.listening.is_current() and far.listening.is_current())
    yield near, far
    await near.listening.close()
    await far.listening.close()


def kill_listeners(database: str, most: int = 9) -> int:
    """Ends the connections of listeners, the youngest first, as an administrator or a failing network would."""
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM (
                SELECT pid FROM pg_stat_activity
                WHERE application_name = 'candela-listener' AND datname = current_database()
                ORDER BY backend_start DESC LIMIT %s
            ) AS youngest
            """,
            [most],
        ).rowcount


@pytest.mark.spec("ENT-5")
async def test_change_waited_for__everybody_has_heard_it_and_nobody_waited_long(
    ears: tuple[Ear, Ear],
) -> None:
    near, far = ears
    took_s = []
    for number in range(50):
        took_s.append(await near.change(f"cus_{number}"))
        assert near.changes[-1] == far.changes[-1] == (MERCHANT, f"cus_{number}")
    await far.change(None)
    assert near.changes[-1] == (MERCHANT, None)
    assert sorted(took_s)[25] < LEASE_S / 4
    assert (near.gaps, far.gaps) == (1, 1)


@pytest.mark.spec("ENT-5")
async def test_many_changes_at_once__all_are_heard_and_none_is_a_gap(
    ears: tuple[Ear, Ear],
) -> None:
    near, far = ears
    gaps = near.gaps, far.gaps
    # More tokens at one moment than one message has room for.
    tokens = [near.listening.token() for _ in range(1_000)]
    async with near.db.writing(MERCHANT) as tx:
        await tx.entitlements_changed("cus_a")
        for token in tokens:
            await tx.send_token(token)
    began = time.monotonic()
    await asyncio.gather(*[near.listening.until_heard(token) for token in tokens])

    assert time.monotonic() - began < LEASE_S + 1
    assert far.changes == [(MERCHANT, "cus_a")]
    assert (near.gaps, far.gaps) == gaps
    assert near.listening.is_current()
    assert far.listening.is_current()


async def cut_off(database: str, near: Ear, far: Ear) -> None:
    """Kills the connections of both, and returns when both have noticed."""
    gaps = near.gaps, far.gaps
    assert kill_listeners(database) == 2
    await becomes(lambda: near.gaps > gaps[0] and far.gaps > gaps[1])


@pytest.mark.spec("ENT-5")
async def test_connection_killed__it_says_so_at_once_and_hears_again_by_itself(
    database: str, ears: tuple[Ear, Ear]
) -> None:
    near, far = ears
    for round_number in range(3):
        await cut_off(database, near, far)
        # Whatever was missed: nobody calls itself current before it may be sure again.
        await becomes(lambda: near.listening.is_current() and far.listening.is_current())
        await near.change(f"cus_{round_number}")
        assert far.changes[-1] == (MERCHANT, f"cus_{round_number}")


@pytest.mark.spec("ENT-5")
async def test_changes_while_connections_are_killed__are_heard_or_known_to_be_missed(
    database: str, ears: tuple[Ear, Ear]
) -> None:
    near, far = ears
    kills = 0
    for number in range(30):
        gaps = far.gaps
        current_before = far.listening.is_current()
        if number % 10 == 5:
            kills += kill_listeners(database)
        await near.change(f"cus_{number}")
        # The promise of until_heard: heard, or no longer trusting what is remembered.
        assert (
            (MERCHANT, f"cus_{number}") in far.changes
            or not far.listening.is_current()
            or far.gaps > gaps
            or not current_before
        )
    assert kills > 0


@pytest.mark.spec("ENT-5")
async def test_peer_whose_connection_died_unnoticed__is_waited_for_until_its_lease_is_over(
    database: str, ears: tuple[Ear, Ear], far_db: tuple[Postgres, Proxy]
) -> None:
    near, far = ears
    await near.change("cus_a")
    # The server ends the connection; the news of it gets lost on the way, and so does the change.
    far_db[1].swallow()
    assert kill_listeners(database, 1) == 1
    assert far.listening.is_current()
    took_s = await near.change("cus_b")

    assert near.listening.is_current()
    assert near.gaps == 1
    assert not far.listening.is_current()
    assert (MERCHANT, "cus_b") not in far.changes
    assert took_s < LEASE_S + 0.5


@pytest.mark.spec("ENT-5")
async def test_peer_that_ended_as_it_should__is_waited_for_by_nobody(
    near_db: Postgres, ears: tuple[Ear, Ear]
) -> None:
    near, _ = ears
    third = Ear(near_db)
    await third.start()
    await becomes(third.listening.is_current)
    await near.change("cus_a")
    await third.listening.close()
    assert not third.listening.is_current()

    assert await near.change("cus_b") < LEASE_S / 2
    assert (MERCHANT, "cus_b") not in third.changes


@pytest.mark.spec("ENT-5")
async def test_new_peer__proves_nothing_before_everybody_has_seen_it(near_db: Postgres) -> None:
    ear = Ear(near_db)
    began = time.monotonic()
    await ear.start()
    await becomes(ear.listening.is_current)

    assert time.monotonic() - began >= SETTLING_S
    await ear.listening.close()


@pytest.mark.spec("ENT-5")
async def test_peer_that_hears_nothing__is_waited_for_one_lease_and_trusts_nothing_then(
    ears: tuple[Ear, Ear], far_db: tuple[Postgres, Proxy]
) -> None:
    near, far = ears
    _, proxy = far_db
    proxy.swallow()
    took_s = await near.change("cus_a")

    assert took_s < LEASE_S + 0.5
    assert (MERCHANT, "cus_a") not in far.changes
    assert not far.listening.is_current()
    gaps = far.gaps
    proxy.cut()
    proxy.heal()
    await becomes(lambda: far.listening.is_current() and far.gaps > gaps)


@pytest.mark.spec("ENT-5")
async def test_database_that_hangs_for_the_writer__its_answer_waits_no_longer_than_a_lease(
    ears: tuple[Ear, Ear], far_db: tuple[Postgres, Proxy]
) -> None:
    _, far = ears
    db, proxy = far_db
    token = far.listening.token()
    async with db.writing(MERCHANT) as tx:
        await tx.entitlements_changed("cus_a")
        await tx.send_token(token)
        await tx.execute("SELECT 1")
    proxy.swallow()
    began = time.monotonic()
    await far.listening.until_heard(token)

    assert time.monotonic() - began < LEASE_S + 1


@pytest.mark.spec("ENT-4")
async def test_lost_counts__are_told_to_everybody_or_the_teller_knows_that_they_are_not(
    ears: tuple[Ear, Ear], far_db: tuple[Postgres, Proxy]
) -> None:
    near, far = ears
    await near.listening.warn_of_counters()
    assert (near.lost_counts, far.lost_counts) == (1, 1)
    assert (near.changes, far.changes) == ([], [])

    far_db[1].swallow()
    with pytest.raises(DatabaseUnavailableError):
        await far.listening.warn_of_counters()


@pytest.mark.spec("ENT-5")
async def test_network_that_takes_connections_and_says_nothing__a_listener_tries_again(
    far_db: tuple[Postgres, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    from candela_server.storage import listen

    monkeypatch.setattr(listen, "_CONNECT_TIMEOUT_S", 0.3)
    db, proxy = far_db
    heard: list[str] = []
    proxy.swallow()
    listener = Listener(db.url, {"candela_tests": heard.append}, lambda: None)
    await listener.start()
    assert not listener.is_current()
    proxy.cut()
    proxy.heal()
    await becomes(listener.is_current)
    listener.say("candela_tests", "hello")
    await becomes(lambda: heard == ["hello"])
    await listener.close()


@pytest.mark.spec("ENT-5")
async def test_statement_given_up_on_a_database_that_hangs__holds_nobody_and_no_connection(
    far_db: tuple[Postgres, Proxy],
) -> None:
    db, proxy = far_db

    async def read() -> None:
        async with asyncio.timeout(0.3), db.reading(MERCHANT) as tx:
            await tx.fetchval("SELECT 1")

    await read()
    proxy.swallow()
    began = time.monotonic()
    with pytest.raises((TimeoutError, DatabaseUnavailableError)):
        await read()
    assert time.monotonic() - began < 1.5
    db.outage.begin()
    assert db.outage.active
    proxy.heal()
    await becomes(lambda: not db.outage.active)
    for _ in range(20):
        await read()
