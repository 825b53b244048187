"""How an embedded server's process is found, started and ended."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from .unprivileged import Unprivileged

LOOPBACK = "127.0.0.1"
# Recovery after a crash is part of a start, so a start may take as long as the WAL since the last
# checkpoint.
START_TIMEOUT_S = 120.0
PROBE_TIMEOUT_S = 5
POLL_S = 0.02
# A free port may be taken by somebody else before the server binds it; then the next one is tried.
PORT_ATTEMPTS = 5
_STOP_TIMEOUT_S = 60.0
_LOG_TAIL_BYTES = 4000


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be started or stopped; the message ends with what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answered just now."""

    url: str
    pid: int


class TryAgainError(Exception):
    """Somebody else bound the port first, or the dead server's children are still ending."""


def wheel_folder(package: str) -> Path:
    """Where a wheel's files lie. It is not imported: nothing of its code is needed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedServerError(
            f"the package {package} is not installed; install candela-server[embedded]"
        )
    return Path(found.origin).parent


def free_port(folder: Path, name: str) -> int:
    """The port that the server had before if it is free, so that addresses stay; else another."""
    path = folder / "ports.json"
    try:
        ports: dict[str, int] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        ports = {}
    for wanted in (ports.get(name, 0), 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, wanted))
            ports[name] = probe.getsockname()[1]
            break
    path.write_text(json.dumps(ports))
    return ports[name]


def spawn(
    command: list[str], *, log: Path, runner: Unprivileged | None = None
) -> subprocess.Popen[bytes]:
    """Starts a server that outlives a Ctrl-C of ours, with its output in `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            runner.command(command) if runner else command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=plain_environment(),
            cwd="/",
            start_new_session=True,
            **(runner.identity() if runner else {}),
        )


def plain_environment() -> dict[str, str]:
    """The environment that servers run in."""
    # PGDATA, PGPORT and their like would change what the servers do.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def end_process(pid: int, first: signal.Signals) -> None:
    """Asks a process to end by the signal `first`, and waits until it has."""
    # SIGKILL as the last resort: the WAL makes even this safe for what was committed.
    for kind in (first, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, kind)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if _has_ended(pid):
                return
            time.sleep(POLL_S)
    raise EmbeddedServerError(f"process {pid} does not end; end it by hand")


def _has_ended(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        # A zombie has ended: only its parent, which may be another process or none that cares, has
        # not asked yet. As long as it has other threads, they hold its port.
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def is_running(pid: int, program: str, argument: str) -> bool:
    """Whether `pid` is a living process of this program that was started with this argument."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        line = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return program in " ".join(line[:1]) and any(argument in part for part in line)


def tail_of(log: Path) -> str:
    """The end of a log, for an error message."""
    try:
        return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
