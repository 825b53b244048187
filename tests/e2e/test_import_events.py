"""Usage by file: every row once, however often and with whatever interruptions the command runs (EVT-1, EVT-2)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from candela import Client
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.metering.v1 import usage_service_pb2

from candela_server import cli

from tests.helpers.proxy import Proxy
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.helpers.waiting import until

pytestmark = pytest.mark.spec("EVT-1", "EVT-2")

_TIMEOUT_S = 300.0
_MANY = 20_000
"""Rows of some megabytes, when they are sent."""

_SOME_BYTES = 300_000
"""Some chunks of 500 rows, and far from all."""


class Shop:
    """A merchant of one test, with a customer "acme" and a metric that adds values up."""

    def __init__(self, live: LiveServer) -> None:
        self.live = live
        merchant = create_merchant_by_command(live.server.environment, "Import")
        self.key: str = merchant["secret_key"]
        self.client = Client(live.address, self.key)
        self.client.customers.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(name="Acme", external_id="acme")
        )
        self.client.metrics.CreateMetric(
            metric_service_pb2.CreateMetricRequest(
                metric=metric_pb2.NewMetric(
                    slug="tokens",
                    name="Tokens",
                    aggregation=metric_pb2.AGGREGATION_SUM,
                    event_names=["api-call"],
                )
            )
        )

    def usage(self) -> Decimal:
        """What acme used this month and the last."""
        request = usage_service_pb2.GetUsageRequest(
            customer=customer_pb2.CustomerRef(external_id="acme")
        )
        now = datetime.now(UTC)
        request.window.start_at.FromDatetime(now - timedelta(days=30))
        request.window.end_at.FromDatetime(now + timedelta(hours=1))
        return Decimal(self.client.usage.GetUsage(request).usages[0].value)

    def start(self, path: Path, *more: str, server: str = "") -> subprocess.Popen[str]:
        """The command, as an operator would type it; to the live server where none is named."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "candela_server", "events", "import", str(path)),
                *("--server", server or self.live.address, "--json", *more),
            ],
            env={"PATH": os.environ["PATH"], "CANDELA_API_KEY": self.key},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, path: Path, *more: str, server: str = "") -> tuple[int, dict[str, object], str]:
        """The command's exit code, what it printed, and what it said."""
        process = self.start(path, *more, server=server)
        out, said = process.communicate(timeout=_TIMEOUT_S)
        return process.returncode, json.loads(out) if out else {}, said


@pytest.fixture
def shop(live_server: LiveServer) -> Iterator[Shop]:
    """A merchant of this test's own."""
    if not live_server.server.running:
        live_server.start()
    made = Shop(live_server)
    yield made
    made.client.close()


@pytest.fixture
def held(shop: Shop) -> Iterator[Proxy]:
    """A way to the server on which some chunks of rows get through, and the others when it is healed.

    So an import is under way for as long as a test wants it to be.
    """
    with Proxy(int(shop.live.address.rpartition(":")[2])) as proxy:
        proxy.hold_after(_SOME_BYTES)
        yield proxy


def counts(said: dict[str, object]) -> tuple[object, object, object, object]:
    return said["accepted"], said["deduplicated"], said["held"], said["rejected"]


def rejects_of(said: dict[str, object]) -> list[str]:
    return Path(str(said["rejects_file"])).read_text().splitlines()


def dated_rows(count: int) -> Iterator[str]:
    """Rows without keys of their own, of which every second looks like the one before."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(count):
        at = now - timedelta(seconds=number // 2)
        yield f"acme,api-call,1,{at.isoformat()},eu\n"


_HEADER = "external_customer_id,name,value,timestamp,properties.region\n"


def test_csv_imported_twice__counts_once(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(_HEADER + "".join(dated_rows(1200)))

    first = shop.run(path)
    second = shop.run(path)

    assert (first[0], counts(first[1])) == (0, (1200, 0, 0, 0))
    assert (second[0], counts(second[1])) == (0, (0, 1200, 0, 0))
    assert shop.usage() == 1200
    assert sorted(one.name for one in tmp_path.iterdir()) == ["usage.csv"]


def test_bad_rows__are_in_the_rejects_file_by_line_and_the_good_ones_count(
    shop: Shop, tmp_path: Path
) -> None:
    path = tmp_path / "usage.jsonl"
    good = {"idempotency_key": "a", "who": "acme", "name": "api-call", "value": 2.5}
    lines = [
        json.dumps(good),
        json.dumps({**good, "idempotency_key": "b", "value": "NaN"}),
        "{not json",
        json.dumps({**good, "idempotency_key": "c", "who": "nobody"}),
        json.dumps({**good, "idempotency_key": "d", "timestamp": "2026-01-01T00:00:00"}),
        json.dumps({**good, "idempotency_key": "a", "value": 3}),
        json.dumps({**good, "idempotency_key": "e", "properties": {"n": 1, "ok": True}}),
    ]
    path.write_text("\n".join(lines))

    code, said, _ = shop.run(path, "--map", "who=external_customer_id")
    rejects = [json.loads(line) for line in rejects_of(said)]

    assert (code, counts(said)) == (1, (2, 0, 0, 5))
    assert [(one["line"], one["reason"], one["field"]) for one in rejects] == [
        (2, "INVALID_FIELD", "value"),
        (3, "INVALID_ROW", ""),
        (4, "CUSTOMER_NOT_FOUND", "external_customer_id"),
        (5, "INVALID_FIELD", "timestamp"),
        (6, "EVENT_KEY_CONFLICT", "idempotency_key"),
    ]
    assert rejects[0]["content"] == lines[1]
    assert shop.usage() == 5


def test_many_bad_rows_and_no_good_one__end_all_the_same(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(_HEADER + "acme,api-call\n" * 9_000)

    code, said, _ = shop.run(path)

    assert (code, counts(said)) == (1, (0, 0, 0, 9_000))
    assert len(rejects_of(said)) == 9_000


def test_interrupted_import__leaves_a_note_and_goes_on_from_there(
    shop: Shop, held: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(_HEADER + "".join(dated_rows(_MANY)))
    note = tmp_path / "usage.csv.import.json"

    process = shop.start(path, server=held.address)
    until(note.exists, what="some rows are decided")
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=_TIMEOUT_S)
    interrupted = json.loads(out)
    noted = json.loads(note.read_text())["progress"]
    held.heal()
    code, rest, said_then = shop.run(path, server=held.address)

    assert process.returncode == 1, said
    assert "interrupted; stopped behind line" in said
    assert not interrupted["finished"]
    assert 0 < noted["accepted"] < _MANY
    assert f"continuing after line {noted['line']}" in said_then
    assert code == 0
    # Counted over both runs; what was committed and not yet noted is deduplicated, not counted again.
    assert int(str(rest["accepted"])) + int(str(rest["deduplicated"])) == _MANY
    assert int(str(rest["accepted"])) >= noted["accepted"]
    assert shop.usage() == _MANY
    assert not note.exists()


def test_server_killed_in_between__is_waited_for(shop: Shop, held: Proxy, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(_HEADER + "".join(dated_rows(_MANY)))

    process = shop.start(path, server=held.address)
    until(lambda: shop.usage() > 0, what="some rows are counted")
    shop.live.kill()
    held.heal()
    shop.live.start()
    out, said = process.communicate(timeout=_TIMEOUT_S)

    got = json.loads(out)
    assert process.returncode == 0, said
    assert got["accepted"] + got["deduplicated"] == _MANY
    assert shop.usage() == _MANY


@pytest.mark.parametrize(
    ("name", "content", "arguments", "says"),
    [
        ("usage.csv", "name,colour\n", (), "'colour' means no field"),
        ("usage.txt", "", (), "neither with .csv nor with .jsonl"),
        ("usage.csv", "name,a\n", ("--map", "a=who"), "'who' is no field"),
        ("usage.csv", "name,a\n", ("--map", "a"), "is not COLUMN=FIELD"),
        ("usage.csv", "name,a\n", ("--delimiter", ";;"), "must be one character"),
    ],
)
def test_wrong_file_or_option__is_said_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    path = tmp_path / name
    path.write_text(content)
    monkeypatch.setenv("CANDELA_API_KEY", "sk_test_none")
    try:
        code: object = cli.main(["events", "import", str(path), *arguments])
    except SystemExit as ended:  # argparse's way
        code = ended.code

    assert code == 2
    assert says in capsys.readouterr().err


def test_wrong_key__stops_the_import_and_says_so(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("name,customer_id\napi-call,cus_1\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "candela_server", "events", "import", str(path)),
            *("--server", live_server.address),
        ],
        env={"PATH": os.environ["PATH"], "CANDELA_API_KEY": "sk_test_none"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )

    assert done.returncode == 1
    assert "UNAUTHENTICATED" in done.stderr
    assert "Traceback" not in done.stderr
