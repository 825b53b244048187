"""`scripts/dev`: embedded servers, migration, a server and a worker, a merchant, and the demo.

Stops every process that it started, however it ends. With --demo it runs once and exits; else it serves until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from candela_server.storage import embedded

FOLDER = Path(".candela")
READY_WITHIN_S = 30.0
PORTS = (8430, 8431)


def main() -> int:
    """Runs everything; 0 when the demo agreed."""
    parser = argparse.ArgumentParser(prog="scripts/dev", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="run the demo once and exit")
    parser.add_argument("--events", type=Path, help="a CSV of your own for the demo")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as running:
        say("starting PostgreSQL and Valkey (embedded, in .candela/)")
        servers = running.enter_context(embedded.start(FOLDER))
        environment = settings(servers)
        say("migrating")
        candela(environment, "migrate")
        merchant = load_merchant(environment)
        say("starting the server and the worker")
        running.enter_context(process(environment, "worker"))
        running.enter_context(process(environment, "serve"))
        wait_until_ready(environment)
        say("running the demo")
        failed = run_demo(environment, merchant["secret_key"], options.events)
        if options.demo or failed:
            explain_next(environment, merchant, serving=False)
            return failed
        explain_next(environment, merchant, serving=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
    return 0


def say(text: str) -> None:
    """Tells what is being done."""
    print(f"\033[1m▸ {text}\033[0m", file=sys.stderr, flush=True)


def settings(servers: embedded.Embedded) -> dict[str, str]:
    """What the server is told: the embedded servers, and ports of its own."""
    grpc_port, http_port = (free_port(port) for port in PORTS)
    return {
        **os.environ,
        "CANDELA_DATABASE_URL": servers.database_url,
        "CANDELA_REDIS_URL": servers.redis_url,
        "CANDELA_GRPC_ADDRESS": f"127.0.0.1:{grpc_port}",
        "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{http_port}",
        "CANDELA_LOG_LEVEL": os.environ.get("CANDELA_LOG_LEVEL", "warning"),
    }


def free_port(wanted: int) -> int:
    """The usual port, or any free one when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def candela(environment: dict[str, str], *arguments: str) -> str:
    """Runs one command and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "candela_server", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def load_merchant(environment: dict[str, str]) -> dict[str, str]:
    """The demo's merchant, made once per data folder; its keys are kept beside the data, for this machine only."""
    kept = FOLDER / "demo-merchant.json"
    database = environment["CANDELA_DATABASE_URL"]
    if kept.exists():
        merchant: dict[str, str] = json.loads(kept.read_text())
        if merchant.get("database") == database.rpartition("@")[0]:
            return merchant
    merchant = json.loads(candela(environment, "merchant", "create", "Demo", "--json"))
    merchant["database"] = database.rpartition("@")[0]
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(merchant))
    return merchant


@contextmanager
def process(environment: dict[str, str], command: str) -> Iterator[None]:
    """A process of Candela, ended when the block is left."""
    # Of its own session, so that Ctrl-C reaches it through us and in order.
    started = subprocess.Popen(
        [sys.executable, "-m", "candela_server", command], env=environment, start_new_session=True
    )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(timeout=20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until_ready(environment: dict[str, str]) -> None:
    """Returns when the server listens. Raises TimeoutError."""
    host, _, port = environment["CANDELA_GRPC_ADDRESS"].rpartition(":")
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"the server did not listen within {READY_WITHIN_S:.0f} s")


def run_demo(environment: dict[str, str], key: str, events: Path | None) -> int:
    """Runs the demo and returns its exit code."""
    command = [sys.executable, "-m", "demo", "--address", environment["CANDELA_GRPC_ADDRESS"]]
    command += ["--events", str(events)] if events else []
    return subprocess.run(command, env={**environment, "CANDELA_API_KEY": key}).returncode


def explain_next(environment: dict[str, str], merchant: dict[str, str], *, serving: bool) -> None:
    """Prints keys, ports, and what to try."""
    address, key = environment["CANDELA_GRPC_ADDRESS"], merchant["secret_key"]
    call = f"grpcurl -plaintext -H 'authorization: Bearer {key}'"
    lines = [
        "",
        f"secret key       {key}",
        f"publishable key  {merchant['publishable_key']}",
        f"gRPC             {address}",
        f"HTTP             {environment['CANDELA_HTTP_ADDRESS']}   (/healthz, /metrics, /v1/invoices/ID/pdf)",
        "",
        "grpcurl:",
        f"  grpcurl -plaintext {address} list",
        f"  {call} {address} candela.merchant.v1.MerchantService/GetMerchant",
        f"  {call} -d '{{\"page_size\": 3}}' {address} candela.catalog.v1.PlanService/ListPlans",
        f"  {call} -d '{{\"page_size\": 2}}' {address} candela.billing.v1.InvoiceService/ListInvoices",
        f"  {call} -d '{{\"page_size\": 5}}' {address} candela.merchant.v1.AuditService/ListAuditEntries",
        "",
        "SDKs (the same check in each):",
        f'  Python      Client("{address}", api_key=KEY).is_feature_entitled("advanced-analytics", user_id="…")',
        '  TypeScript  await candela.isFeatureEntitled({ feature: "advanced-analytics", userId: "…" })',
        '  Go          client.IsFeatureEntitled(ctx, "advanced-analytics", candela.User("…"))',
        "",
        "Serving until Ctrl-C."
        if serving
        else "Run ./scripts/dev without --demo to keep it serving.",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
