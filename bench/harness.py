"""How rows are measured: interleaved rounds (ABBA), medians, roles pinned to cores, servers of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
READY_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a value, what it is held against, their ratio, and the ratio to reach."""

    name: str
    value: float
    against: float
    ratio: float
    goal: float
    met: bool


def row(name: str, value: float, against: float, goal: float, *, at_most: bool = False) -> Row:
    """A row whose ratio is value / against; met when it is at least the goal, or at most."""
    ratio = value / against
    met = ratio <= goal if at_most else ratio >= goal
    return Row(name, round(value, 3), round(against, 3), round(ratio, 3), goal, met)


def interleave(
    measure: Callable[[], float], baseline: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """The medians of both, measured in the order A B B A, so that a drift of the machine hits both alike."""
    values: list[float] = []
    baselines: list[float] = []
    for number in range(rounds):
        order = [(measure, values), (baseline, baselines)]
        for function, results in order if number % 2 == 0 else reversed(order):
            results.append(function())
    return statistics.median(values), statistics.median(baselines)


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Prints the table, or one JSON object per row."""
    if as_json:
        for one in rows:
            print(json.dumps(asdict(one)))
        return
    header = ("name", "value", "against", "ratio", "goal", "met")
    lines = [header] + [
        (
            one.name,
            f"{one.value:,.1f}",
            f"{one.against:,.1f}",
            f"{one.ratio:.2f}",
            f"{one.goal:.2f}",
            "yes" if one.met else "no",
        )
        for one in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells))


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str], *, core: int, log: Path
) -> Iterator[int]:
    """A server process pinned to a core, ended by its pid when the block is left; yields the pid."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            env=dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        pin(started.pid, core)
        try:
            yield started.pid
        finally:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(timeout=20)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def pin(pid: int, core: int) -> None:
    """Keeps a process on one core, where there are at least two."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core > -1:
        os.sched_setaffinity(pid, {core % (os.cpu_count() or 1)})


def candela(environment: Mapping[str, str], *arguments: str) -> str:
    """Runs one command of Candela and returns what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "candela_server", *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str) -> None:
    """Returns when somebody listens. Raises TimeoutError."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nobody listened on {address} within {READY_WITHIN_S:.0f} s")


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """The memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def quantile(ordered: Sequence[float], quantile: float) -> float:
    """The value below which such a part of the ordered values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))]


def say(text: str) -> None:
    """Progress, beside the results."""
    print(f"▸ {text}", file=sys.stderr, flush=True)
