"""The load generator: a Python client would measure itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .harness import LOAD_CORE, say

_MODULE = "github.com/bojand/ghz/cmd/ghz@v0.121.0"
_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of load saw: calls that went through, calls per second, and the latency of the slowest hundredth."""

    calls: int
    rate: float
    p99_ms: float


class Ghz:
    """Sends calls of one service from a core of its own."""

    def __init__(self, folder: Path, key: str) -> None:
        """Builds the generator once; `folder` takes what it needs for a run."""
        self._binary = _built(Path.cwd())
        self._key = key
        self._protoset = folder / "candela.binpb"
        buf = Path(sys.executable).with_name("buf")
        subprocess.run([buf, "build", "-o", self._protoset], check=True)

    def run(
        self,
        method: str,
        data: Any,
        address: str,
        *,
        seconds: float,
        concurrency: int,
        rate: float | None = None,
    ) -> Report:
        """One run; at most `rate` calls a second when that is given. Raises RuntimeError when calls fail."""
        command = [
            *("taskset", "-c", str(LOAD_CORE)),
            *(str(self._binary), "--insecure", "--protoset", str(self._protoset)),
            *("--call", method, "--data", json.dumps(data)),
            *("--metadata", json.dumps({"authorization": f"Bearer {self._key}"})),
            *("--concurrency", str(concurrency), "--connections", str(_CONNECTIONS)),
            *(("--rps", str(int(rate))) if rate else ()),
            *("--duration", f"{seconds}s", "--format", "json", address),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        report = json.loads(done.stdout)
        failed = {
            code: count
            for code, count in report["statusCodeDistribution"].items()
            # What is on its way when the time is over is cut off.
            if code not in ("OK", "Unavailable", "Canceled")
        }
        if failed:
            raise RuntimeError(f"calls failed: {failed}")
        latencies = {
            one["percentage"]: one["latency"] / 1e6 for one in report["latencyDistribution"]
        }
        return Report(report["count"], report["rps"], latencies[99])


def _built(repository: Path) -> Path:
    folder = repository / ".candela" / "bin"
    if not (folder / "ghz").exists():
        say(f"building {_MODULE} (once)")
        folder.mkdir(parents=True, exist_ok=True)
        path = f"{os.environ['PATH']}:/usr/local/go/bin"
        subprocess.run(
            ["go", "install", _MODULE],
            env={**os.environ, "PATH": path, "GOBIN": str(folder)},
            check=True,
        )
    return folder / "ghz"
