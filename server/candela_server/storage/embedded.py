"""PostgreSQL and Valkey from wheels, for development and tests, without any installation.

`start()` gives addresses of servers whose data lives in one folder, and starts them only if they do
not run. Several processes may share a folder: the last one to let go stops the servers. This is not
for production: the servers know one machine, one password and no backup, though a commit is as
durable here as anywhere (fsync is on).

On the command line: `python -m candela_server.storage.embedded start|stop|status [--folder
FOLDER]`.
"""

from __future__ import annotations

import argparse
import fcntl
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from .embedded_postgres import (
    create_database,
    data_folder,
    find_postgres,
    port_in_pid_file,
    postgres_url,
    start_postgres,
)
from .embedded_process import EmbeddedServerError, end_process
from .embedded_valkey import find_valkey, probe_valkey, start_valkey

__all__ = ["Embedded", "EmbeddedServerError", "find_running", "start", "stop_all"]

DEFAULT_FOLDER = Path(".candela")
DEFAULT_DATABASE = "candela"


@dataclass(slots=True, kw_only=True)
class Embedded:
    """Running servers, held by this process until `stop()`."""

    folder: Path
    database_url: str
    redis_url: str
    postgres_pid: int
    valkey_pid: int
    _use: IO[bytes] | None = field(repr=False)
    # Kept so that the interpreter reaps them and does not warn of them; another process may have
    # started them instead.
    _children: list[subprocess.Popen[bytes]] = field(repr=False)

    def database_url_for(self, database: str) -> str:
        """The address of another database of the same server."""
        return self.database_url.rpartition("/")[0] + "/" + quote(database)

    def stop(self) -> None:
        """Lets go of the servers and stops them, unless another process still uses them."""
        if self._use is None:
            return
        with _lock(self.folder):
            self._use.close()
            self._use = None
            if not (self.folder / "kept").exists() and not _in_use(self.folder):
                _stop_servers(self.folder)
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0)

    def __enter__(self) -> Embedded:
        """The servers themselves, so that `with start() as embedded` stops them at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops as `stop()` does."""
        self.stop()


def start(
    folder: Path | str = DEFAULT_FOLDER, *, database: str = DEFAULT_DATABASE, keep: bool = False
) -> Embedded:
    """The servers of `folder`, started if they do not run, with `database` made if it is not there.

    With `keep` they go on running after everybody let go, until `stop_all()`. Safe to call from
    many processes at once and after a crash of any of them. Raises EmbeddedServerError.
    """
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    children: list[subprocess.Popen[bytes]] = []
    with _lock(folder):
        use = (folder / "in-use").open("ab")
        fcntl.flock(use, fcntl.LOCK_SH)
        try:
            if keep:
                (folder / "kept").touch()
            password = _password(folder)
            postgres = start_postgres(folder, password, children)
            valkey = start_valkey(folder, password, children)
            create_database(postgres, database)
        except BaseException:
            use.close()
            if children and not _in_use(folder):
                _stop_servers(folder)
            raise
    return Embedded(
        folder=folder,
        database_url=f"{postgres.url.rpartition('/')[0]}/{quote(database)}",
        redis_url=valkey.url,
        postgres_pid=postgres.pid,
        valkey_pid=valkey.pid,
        _use=use,
        _children=children,
    )


def stop_all(folder: Path | str = DEFAULT_FOLDER) -> None:
    """Stops the servers of `folder`, whoever uses them."""
    folder = Path(folder).absolute()
    if not folder.exists():
        return
    with _lock(folder):
        (folder / "kept").unlink(missing_ok=True)
        _stop_servers(folder)


def find_running(folder: Path | str = DEFAULT_FOLDER) -> tuple[str, str] | None:
    """The addresses of the folder's PostgreSQL and Valkey if both run; starts and stops nothing."""
    folder = Path(folder).absolute()
    data = data_folder(folder)
    postgres_pid = find_postgres(data)
    valkey_pid = find_valkey(folder)
    if postgres_pid is None or valkey_pid is None:
        return None
    password = _password(folder)
    port = port_in_pid_file(data, postgres_pid)
    valkey = probe_valkey(folder, password, valkey_pid)
    if port is None or valkey is None:
        return None
    return postgres_url(port, password, DEFAULT_DATABASE), valkey.url


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Starts and stops of one folder take turns, in whichever process; a dead one holds nothing."""
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _in_use(folder: Path) -> bool:
    """Whether any living process holds the servers. The kernel drops the hold of one that died."""
    with (folder / "in-use").open("ab") as use:
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _password(folder: Path) -> str:
    # Loopback is shared by every user of the machine, so trust would give each of them the
    # superuser.
    path = folder / "password"
    if not path.exists():
        building = path.with_suffix(".new")
        building.unlink(missing_ok=True)
        building.touch(mode=0o600)
        building.write_text(secrets.token_hex(24))
        building.rename(path)
    return path.read_text()


def _stop_servers(folder: Path) -> None:
    data = data_folder(folder)
    postgres = find_postgres(data)
    valkey = find_valkey(folder)
    if valkey is not None:
        end_process(valkey, signal.SIGTERM)
    if postgres is not None:
        # SIGINT is PostgreSQL's fast shutdown: clients are told to go, and all is written.
        end_process(postgres, signal.SIGINT)
    (folder / "valkey.pid").unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: start (and keep running), stop, status."""
    parser = argparse.ArgumentParser(
        description="Runs PostgreSQL and Valkey from wheels on loopback, for development and tests."
    )
    parser.add_argument("command", choices=("start", "stop", "status"))
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the data lives")
    chosen = parser.parse_args(arguments)
    if chosen.command == "stop":
        stop_all(chosen.folder)
        return 0
    if chosen.command == "status":
        addresses = find_running(chosen.folder)
    else:
        embedded = start(chosen.folder, keep=True)
        addresses = (embedded.database_url, embedded.redis_url)
    if addresses is None:
        print("not running")
        return 1
    print(f"CANDELA_DATABASE_URL={addresses[0]}")
    print(f"CANDELA_REDIS_URL={addresses[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
