"""The embedded servers: reused, shared, recovered after a crash, and gone when told to go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from candela_server.storage import embedded

from tests.helpers.waiting import PATIENCE_S

pytestmark = pytest.mark.own_stores

# Prints the two process ids, then waits to be told to let go (or to be killed).
_HOLDER = """
import json, sys
from candela_server.storage import embedded
held = embedded.start(sys.argv[1])
print(json.dumps([held.postgres_pid, held.valkey_pid]), flush=True)
sys.stdin.readline()
held.stop()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which nothing runs afterwards, whatever the test did."""
    yield tmp_path / "data"
    embedded.stop_all(tmp_path / "data")


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that starts the servers and holds them."""
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def pids_of(holder: subprocess.Popen[str]) -> list[int]:
    assert holder.stdout is not None
    pids: list[int] = json.loads(holder.stdout.readline())
    return pids


def end(holder: subprocess.Popen[str], kind: signal.Signals | None = None) -> None:
    if kind is None:
        holder.communicate("\n", timeout=PATIENCE_S)
    else:
        holder.send_signal(kind)
        holder.communicate(timeout=PATIENCE_S)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answer(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.spec("OPS-1")
def test_first_start__both_servers_answer_and_end_with_stop(folder: Path) -> None:
    servers = embedded.start(folder)

    assert answer(servers.database_url, "SELECT current_database()") == "candela"
    assert redis.Redis.from_url(servers.redis_url).ping() is True
    servers.stop()
    servers.stop()

    assert not runs(servers.postgres_pid)
    assert not runs(servers.valkey_pid)
    assert embedded.find_running(folder) is None


@pytest.mark.spec("OPS-1")
@pytest.mark.parametrize(
    ("setting", "want"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", "127.0.0.1"),
    ],
)
def test_settings__are_durable_and_local(
    embedded_servers: embedded.Embedded, setting: str, want: str
) -> None:
    assert answer(embedded_servers.database_url, f'SHOW "{setting}"') == want


@pytest.mark.spec("OPS-1")
def test_address_without_its_password__is_refused(embedded_servers: embedded.Embedded) -> None:
    scheme, _, rest = embedded_servers.database_url.partition("://")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{scheme}://postgres:wrong@{rest.rpartition('@')[2]}")


@pytest.mark.spec("OPS-1")
def test_second_start__joins_and_the_last_to_leave_stops(folder: Path) -> None:
    first = embedded.start(folder)
    second = embedded.start(folder)
    assert second.postgres_pid == first.postgres_pid
    assert second.valkey_pid == first.valkey_pid

    first.stop()
    assert runs(second.postgres_pid)
    second.stop()
    assert not runs(second.postgres_pid)


@pytest.mark.spec("OPS-1")
def test_two_processes_at_once__start_one_pair_of_servers(folder: Path) -> None:
    holders = [hold(folder), hold(folder)]
    pids = [pids_of(holder) for holder in holders]

    assert pids[0] == pids[1]
    end(holders[0])
    assert all(runs(pid) for pid in pids[0])
    end(holders[1])
    assert not any(runs(pid) for pid in pids[0])


@pytest.mark.spec("OPS-1")
def test_holder_killed__the_next_one_joins_and_stops(folder: Path) -> None:
    holder = hold(folder)
    pids = pids_of(holder)
    end(holder, signal.SIGKILL)
    assert all(runs(pid) for pid in pids)

    servers = embedded.start(folder)
    assert [servers.postgres_pid, servers.valkey_pid] == pids
    servers.stop()
    assert not any(runs(pid) for pid in pids)


@pytest.mark.spec("OPS-1")
def test_everything_killed__a_commit_is_still_there(folder: Path) -> None:
    servers = embedded.start(folder)
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept (value integer)")
        connection.execute("INSERT INTO kept VALUES (42)")
    os.kill(servers.postgres_pid, signal.SIGKILL)
    os.kill(servers.valkey_pid, signal.SIGKILL)

    again = embedded.start(folder)
    assert again.postgres_pid != servers.postgres_pid
    assert answer(again.database_url, "SELECT value FROM kept") == 42
    again.stop()
    servers.stop()


@pytest.mark.spec("OPS-1")
def test_process_id_reused_by_another_program__does_not_stop_a_start(folder: Path) -> None:
    embedded.start(folder).stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    data = next(folder.glob("postgres-*"))
    (data / "postmaster.pid").write_text(
        f"{stranger.pid}\n{data}\n1\n5432\n\n127.0.0.1\n1 1\nready\n"
    )
    (folder / "valkey.pid").write_text(f"{stranger.pid}\n6379\n")

    with embedded.start(folder) as servers:
        assert answer(servers.database_url, "SELECT 1") == 1
    assert stranger.poll() is None
    stranger.communicate(b"\n", timeout=PATIENCE_S)


@pytest.mark.spec("OPS-1")
def test_initialization_interrupted__begins_again(folder: Path) -> None:
    half_made = folder / f"postgres-{18}.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    with embedded.start(folder) as servers:
        assert answer(servers.database_url, "SELECT 1") == 1


@pytest.mark.spec("OPS-1")
def test_started_by_command__runs_until_the_command_stops_it(folder: Path) -> None:
    command = [sys.executable, "-m", "candela_server.storage.embedded"]
    started = subprocess.run(
        [*command, "start", "--folder", str(folder)], capture_output=True, text=True, check=True
    )
    with embedded.start(folder) as servers:
        assert f"CANDELA_DATABASE_URL={servers.database_url}" in started.stdout
    assert runs(servers.postgres_pid)

    subprocess.run([*command, "stop", "--folder", str(folder)], check=True)
    assert not runs(servers.postgres_pid)
    assert not runs(servers.valkey_pid)
