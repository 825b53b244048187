"""Checks: unary Check of a usage feature, warm and with auth, against a bare echo of the same messages."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from candela import Client
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from .harness import (
    LOAD_CORE,
    SERVER_CORE,
    Row,
    cpu_seconds,
    free_port,
    interleave,
    process,
    row,
    say,
    wait_for,
)
from .stage import Stage

GHZ = "github.com/bojand/ghz/cmd/ghz@v0.121.0"
CONCURRENCY = 32
FEATURE = "premium-messages"
METHOD = "candela.entitlement.v1.EntitlementService/Check"


def rows(stage: Stage, *, rounds: int, seconds: float) -> list[Row]:
    """Throughput at full load, and server processor time per check."""
    ghz = _ghz(Path.cwd())
    protoset = stage.folder / "candela.binpb"
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "build", "-o", protoset], check=True)
    with Client(stage.address, stage.key) as client:
        for user_id in stage.user_ids:
            answer: pb.CheckResponse = client.check_feature(FEATURE, user_id=user_id)
    echo_address = f"127.0.0.1:{free_port()}"
    encoded = base64.b64encode(answer.SerializeToString()).decode()
    with process(
        [sys.executable, "-m", "bench.echo_server", echo_address, encoded],
        stage.environment,
        core=SERVER_CORE,
        log=stage.folder / "echo.log",
    ) as echo_pid:
        wait_for(echo_address)
        say(f"unary Check against a bare echo: {rounds} rounds of {seconds:.0f} s each")
        costs: dict[str, list[float]] = {"check": [], "echo": []}

        def measure(name: str, address: str, pid: int) -> float:
            before = cpu_seconds(pid)
            calls, rate = _load(ghz, protoset, stage, address, seconds)
            costs[name].append((cpu_seconds(pid) - before) / calls * 1e6)
            return rate

        measure("check", stage.address, stage.server_pid)
        measure("echo", echo_address, echo_pid)
        check, echo = interleave(
            lambda: measure("check", stage.address, stage.server_pid),
            lambda: measure("echo", echo_address, echo_pid),
            rounds,
        )
    cpu = {name: sorted(values)[len(values) // 2] for name, values in costs.items()}
    say(f"server processor time: {cpu['check']:.0f} µs per Check, {cpu['echo']:.0f} µs per echo")
    return [row("unary Check, warm, usage feature (calls/s) : bare echo", check, echo, 0.90)]


def _load(
    ghz: Path, protoset: Path, stage: Stage, address: str, seconds: float
) -> tuple[int, float]:
    """How many calls went through, and how many per second."""
    request = json.dumps(
        {"external_user_id": f"user-{{{{randomInt 0 {len(stage.user_ids)}}}}}", "feature": FEATURE}
    )
    command = [
        *("taskset", "-c", str(LOAD_CORE)),
        *(str(ghz), "--insecure", "--protoset", str(protoset), "--call", METHOD),
        *("--metadata", json.dumps({"authorization": f"Bearer {stage.key}"})),
        *("--data", request, "--concurrency", str(CONCURRENCY), "--connections", "4"),
        *("--duration", f"{seconds}s", "--format", "json", address),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(done.stdout)
    failed = {
        code: count
        for code, count in report["statusCodeDistribution"].items()
        # ghz cuts off what is on its way when its time is over.
        if code not in ("OK", "Unavailable", "Canceled")
    }
    if failed:
        raise RuntimeError(f"calls failed: {failed}")
    return report["count"], report["rps"]


def _ghz(repository: Path) -> Path:
    """The load generator, built from its Go module once: a Python client would measure itself."""
    folder = repository / ".candela" / "bin"
    if not (folder / "ghz").exists():
        say(f"building {GHZ} (once)")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["go", "install", GHZ],
            env={**_environment(), "GOBIN": str(folder)},
            check=True,
        )
    return folder / "ghz"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/local/go/bin"}
