"""PostgreSQL and Valkey that belong to one test session alone, so that it may stop, freeze and lose them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from candela_server.storage import embedded
from candela_server.storage.embedded_postgres import data_folder, find_postgres, start_postgres
from candela_server.storage.embedded_process import end_process
from candela_server.storage.embedded_valkey import find_valkey, start_valkey

from tests.helpers.own_folder import own_folder
from tests.helpers.ports import free_port

_SERVERS = ("postgres", "valkey")


class OwnStores:
    """Both servers, at addresses that stay the same whatever happens to them."""

    def __init__(self, folder: Path) -> None:
        """Starts both; the data of earlier sessions in `folder` may still be there."""
        _choose_ports(folder)
        started = embedded.start(folder)
        self.folder = folder
        self.postgres_url = started.database_url_for("postgres")
        self.redis_url = started.redis_url
        self._started = started
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def postgres_port(self) -> int:
        """Where PostgreSQL listens."""
        return _port(self.postgres_url)

    @property
    def redis_port(self) -> int:
        """Where Valkey listens."""
        return _port(self.redis_url)

    def stop_postgres(self) -> None:
        """Ends PostgreSQL as an administrator would: clients are told to go."""
        pid = find_postgres(data_folder(self.folder))
        if pid is not None:
            end_process(pid, signal.SIGINT)

    def start_postgres(self) -> None:
        """Starts PostgreSQL again, if it does not run, and waits until it answers."""
        running = start_postgres(self.folder, self._password, self._children)
        assert _port(running.url) == self.postgres_port, "it has its address still"

    def stop_valkey(self) -> None:
        """Ends Valkey at once, as a crash would; what it held is gone."""
        pid = find_valkey(self.folder)
        if pid is not None:
            end_process(pid, signal.SIGKILL)

    def start_valkey(self) -> None:
        """Starts Valkey again, if it does not run, and waits until it answers."""
        running = start_valkey(self.folder, self._password, self._children)
        assert running.url == self.redis_url, "it has its address still"

    @contextmanager
    def frozen_postgres(self) -> Iterator[None]:
        """PostgreSQL stands still for as long as the block runs: connections stay, and nobody answers."""
        pid = find_postgres(data_folder(self.folder))
        assert pid is not None, "PostgreSQL runs"
        # The postmaster first: it starts no further process then.
        postmaster = psutil.Process(pid)
        with _stopped(postmaster), _stopped(*postmaster.children(recursive=True)):
            yield

    @contextmanager
    def frozen_valkey(self) -> Iterator[None]:
        """Valkey stands still for as long as the block runs."""
        pid = find_valkey(self.folder)
        assert pid is not None, "Valkey runs"
        with _stopped(psutil.Process(pid)):
            yield

    def heal(self) -> None:
        """Starts whatever a test has left stopped."""
        self.start_postgres()
        self.start_valkey()

    def close(self) -> None:
        """Ends both."""
        self._started.stop()
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0)

    @property
    def _password(self) -> str:
        return (self.folder / "password").read_text()


@contextmanager
def own_stores(parent: Path) -> Iterator[OwnStores]:
    """Stores in a folder below `parent` that no other session uses now; its files serve the next one again."""
    with own_folder(parent) as folder:
        stores = OwnStores(folder)
        try:
            yield stores
        finally:
            stores.close()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process stands still for as long as the block runs."""
    with _stopped(psutil.Process(pid)):
        yield


@contextmanager
def _stopped(*processes: psutil.Process) -> Iterator[None]:
    pids = [process.pid for process in processes]
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _choose_ports(folder: Path) -> None:
    """Such as are free when a server comes back, so that its address stays."""
    chosen = {server: free_port() for server in _SERVERS}
    (folder / "ports.json").write_text(json.dumps(chosen))


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "the address names its port"
    return port
