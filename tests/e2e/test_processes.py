"""The processes as an operator meets them: several workers on one port, health, and a clean end (OPS-1)."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from candela import Client
from candela.merchant.v1 import merchant_service_pb2

from tests.helpers.ports import free_port
from tests.helpers.servers import CandelaProcess, LiveServer, wait_until_serving
from tests.helpers.waiting import PATIENCE_S


def get(address: str, path: str, key: str = "") -> tuple[int, bytes]:
    """One HTTP request."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.mark.spec("OPS-1")
def test_two_workers_share_a_port__answer_and_end_cleanly(
    live_server: LiveServer, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **live_server.server.environment,
        "CANDELA_GRPC_ADDRESS": address,
        "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    pair = CandelaProcess(
        name="two workers",
        arguments=("serve", "--workers", "2"),
        environment=environment,
        log=tmp_path / "log",
    )
    pair.start()
    try:
        wait_until_serving(address, pair)
        children = subprocess.run(
            ["ps", "--ppid", str(pair.pid), "-o", "pid="], capture_output=True, text=True
        ).stdout.split()
        for _ in range(20):
            # Each client is a connection of its own, which the kernel gives to one of the two.
            with Client(address, live_server.secret_key) as candela:
                got = candela.merchant.GetMerchant(merchant_service_pb2.GetMerchantRequest())
                assert got.merchant.id == live_server.merchant_id
    finally:
        code = pair.stop()

    assert code == 0, pair.tail()
    assert len(children) == 2
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


@pytest.mark.spec("OPS-1")
def test_health_and_metrics__are_served_over_http(live_server: LiveServer) -> None:
    health, _ = get(live_server.http_address, "/healthz")
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.merchant.GetMerchant(merchant_service_pb2.GetMerchantRequest())
    metrics, text = get(live_server.http_address, "/metrics")

    assert (health, metrics) == (200, 200)
    assert (
        b'candela_calls_total{code="OK",method="candela.merchant.v1.MerchantService/GetMerchant"}'
        in text
    )
    # How many depends on who else was served by these servers.
    assert re.search(rb"^candela_billing_parked_subscriptions \d+\.0$", text, re.MULTILINE)


@pytest.mark.spec("INV-1", "KEY-1")
def test_pdf_over_http__needs_a_key_and_an_invoice(live_server: LiveServer) -> None:
    unknown = "/v1/invoices/inv_00000000000000000000000000/pdf"

    assert get(live_server.http_address, unknown)[0] == 401
    assert get(live_server.http_address, unknown, live_server.secret_key)[0] == 404


@pytest.mark.spec("OPS-1")
def test_settings_that_cannot_be__are_all_reported_at_once() -> None:
    environment = {
        "CANDELA_DATABASE_URL": "mysql://x",
        "CANDELA_WORKERS": "0",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "candela_server", "serve"],
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "CANDELA_DATABASE_URL" in done.stderr
    assert "CANDELA_WORKERS" in done.stderr


@pytest.mark.spec("OPS-1")
def test_database_that_is_not_there__is_said_in_one_line() -> None:
    environment = {
        "CANDELA_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "candela_server", "merchant", "create", "X"],
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("candela: ")
    assert "Traceback" not in done.stderr


@pytest.mark.spec("KEY-2")
def test_merchant_in_a_zone_that_is_none__is_refused_by_flag() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "candela_server", "merchant", "create", "X", "--time-zone", "Mars"],
        env={"CANDELA_DATABASE_URL": "postgresql://unused", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "--time-zone" in done.stderr
