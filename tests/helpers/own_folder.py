"""A folder that belongs to one test session at a time, for the data of the servers that it starts.

Sessions may run side by side; each finds a folder that nobody else uses, with what an earlier one left in it, so that
servers need not be made anew.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from candela_server.storage import embedded


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """The first folder below `parent` that no other session uses, for as long as the block runs."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        with _held(parent / f"own-{number}") as folder:
            if folder is None:
                continue
            _stop_servers_of_killed_sessions(parent)
            folder.mkdir(exist_ok=True)
            yield folder
            return


@contextmanager
def _held(folder: Path) -> Iterator[Path | None]:
    """The folder, or None while another session has it. The kernel drops the hold of one that died."""
    with folder.with_suffix(".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield folder


def _stop_servers_of_killed_sessions(parent: Path) -> None:
    for lock in sorted(parent.glob("own-*.lock")):
        with _held(lock.with_suffix("")) as abandoned:
            if abandoned is not None:
                embedded.stop_all(abandoned)
