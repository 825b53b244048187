"""The main job through the generated client, and what must survive a killed server (S1, DSL-9)."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from candela import Client
from candela.billing.v1 import invoice_line_pb2, invoice_service_pb2
from candela.customer.v1 import customer_pb2

from demo.independent_sum import add_up
from demo.scenario import Scenario
from demo.usage_file import write_usage
from tests.helpers.servers import LiveServer


@pytest.mark.spec("DSL-9", "CAT-1", "EVT-2", "ENT-4", "CRD-7", "INV-1", "INV-8", "OPS-2", "SDK-1")
def test_team_sells_uses_and_is_invoiced__total_equals_the_independent_sum(
    live_server: LiveServer, tmp_path: Path
) -> None:
    with Client(live_server.address, live_server.secret_key) as candela:
        agrees = Scenario(candela, tmp_path, "first", None).run()

    assert agrees


class KilledOnce(Scenario):
    """The scenario, whose server is killed without warning while events stream, and started again."""

    live: LiveServer
    killed = 0

    def _stream(self, rows, label):  # type: ignore[no-untyped-def]
        if label == "beyond it":
            crash = threading.Timer(0.15, self._crash)
            crash.start()
            counts = super()._stream(rows, label)
            crash.join()
            # The same part again, as a sender does who does not know what arrived.
            again = super()._stream(rows, label)
            assert again[0] == 0
            return counts
        return super()._stream(rows, label)

    def _crash(self) -> None:
        self.live.kill()
        self.killed += 1
        self.live.restart()


@pytest.mark.spec("EVT-2", "INV-2", "INV-8")
def test_server_killed_while_streaming__same_usage_and_same_invoice(
    live_server: LiveServer, tmp_path: Path
) -> None:
    with Client(live_server.address, live_server.secret_key) as candela:
        scenario = KilledOnce(candela, tmp_path, "killed", None)
        scenario.live = live_server
        agrees = scenario.run()
        invoices = candela.invoices.ListInvoices(
            invoice_service_pb2.ListInvoicesRequest(
                customer=customer_pb2.CustomerRef(external_id="initech-killed")
            )
        ).invoices

    assert agrees
    assert scenario.killed == 1
    want = add_up(tmp_path / "usage.csv")
    got = {
        line.metric_id: Decimal(line.quantity)
        for line in invoices[-1].lines
        if line.kind == invoice_line_pb2.LINE_KIND_USAGE
    }
    assert sorted(got.values()) == sorted(want.used.values())


@pytest.mark.spec("DSL-9")
def test_usage_file_written_twice__is_the_same(tmp_path: Path) -> None:
    write_usage(tmp_path / "one.csv")
    write_usage(tmp_path / "two.csv")

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert add_up(tmp_path / "one.csv").lines >= 20_000
