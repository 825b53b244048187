"""`scripts/dev`: embedded servers, migration, a server and a worker, a merchant, and the demo.

Stops every process that it started, however it ends. With --demo it runs once and exits; else it serves until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from candela_server.storage import embedded

from .usage_file import USERS

FOLDER = Path(".candela")
READY_WITHIN_S = 30.0
LOOK_S = 1.0
PORTS = (8430, 8431)


def main() -> int:
    """Runs everything; 0 when the demo agreed."""
    parser = argparse.ArgumentParser(prog="scripts/dev", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="run the demo once and exit")
    parser.add_argument("--events", type=Path, help="a CSV of your own for the demo")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell that starts this in the background lets it ignore Ctrl-C's signal, which somebody may send by hand.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as running:
        say("starting PostgreSQL and Valkey (embedded, in .candela/)")
        servers = running.enter_context(embedded.start(FOLDER))
        environment = settings(servers)
        say("migrating")
        candela(environment, "migrate")
        merchant = load_merchant(environment)
        say("starting the server and the worker")
        started = [
            running.enter_context(process(environment, command)) for command in ("worker", "serve")
        ]
        wait_until_ready(environment)
        say("running the demo")
        name = secrets.token_hex(3)
        failed = run_demo(environment, merchant["secret_key"], name, options.events)
        if failed:
            return failed
        if options.demo:
            print("\nEverything is stopped again; ./scripts/dev without --demo keeps it serving.")
            return 0
        explain_next(environment, merchant, name)
        try:
            return serve_while_alive(started)
        except KeyboardInterrupt:
            print()
    return 0


def serve_while_alive(started: Sequence[subprocess.Popen[bytes]]) -> int:
    """Returns when one of the processes has ended by itself, which is a failure."""
    while all(one.poll() is None for one in started):
        time.sleep(LOOK_S)
    say("the server or the worker ended by itself; what it said last stands above")
    return 1


def say(text: str) -> None:
    """Tells what is being done; in bold where somebody looks."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{bold}▸ {text}{plain}", file=sys.stderr, flush=True)


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
def process(environment: dict[str, str], command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Candela, ended when the block is left."""
    # Of its own session, so that Ctrl-C reaches it through us and in order.
    started = subprocess.Popen(
        [sys.executable, "-m", "candela_server", command], env=environment, start_new_session=True
    )
    try:
        yield started
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


def run_demo(environment: dict[str, str], key: str, name: str, events: Path | None) -> int:
    """Runs the demo and returns its exit code."""
    command = [sys.executable, "-m", "demo", "--address", environment["CANDELA_GRPC_ADDRESS"]]
    command += ["--name", name]
    command += ["--events", str(events)] if events else []
    return subprocess.run(command, env={**environment, "CANDELA_API_KEY": key}).returncode


def explain_next(environment: dict[str, str], merchant: dict[str, str], name: str) -> None:
    """Prints keys, ports, and what to try with what the demo of this name has made."""
    feature, user = f"advanced-analytics-{name}", f"{USERS[0]}-{name}"
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
        "SDKs (the same check in each; for Python, .venv/bin/python has it installed):",
        f'  Python      Client("{address}", api_key=KEY).is_feature_entitled("{feature}", user_id="{user}")',
        f'  TypeScript  await candela.isFeatureEntitled({{ feature: "{feature}", userId: "{user}" }})',
        f'  Go          client.IsFeatureEntitled(ctx, "{feature}", candela.User("{user}"))',
        "",
        "Serving until Ctrl-C.",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
