"""What the demo's scenarios share: a clock that is moved and awaited, and how an invoice is shown."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal

from candela import Client
from candela.billing.v1 import invoice_pb2
from candela.merchant.v1 import test_clock_pb2, test_clock_service_pb2
from rich.table import Table

CLOCK_DEADLINE_S = 60.0


def advance(candela: Client, clock: str, to: datetime) -> None:
    """Returns when everything due until then has happened. Raises RuntimeError and TimeoutError."""
    request = test_clock_service_pb2.AdvanceTestClockRequest(test_clock_id=clock)
    request.target_at.FromDatetime(to)
    candela.test_clocks.AdvanceTestClock(request)
    deadline = time.monotonic() + CLOCK_DEADLINE_S
    while time.monotonic() < deadline:
        found = candela.test_clocks.GetTestClock(
            test_clock_service_pb2.GetTestClockRequest(test_clock_id=clock)
        ).test_clock
        if found.status == test_clock_pb2.TEST_CLOCK_STATUS_READY:
            return
        if found.status == test_clock_pb2.TEST_CLOCK_STATUS_FAILED:
            raise RuntimeError(f"the test clock stopped: {found.failure}")
        time.sleep(0.05)
    raise TimeoutError(f"the test clock did not arrive in {CLOCK_DEADLINE_S:.0f} s")


def invoice_table(invoice: invoice_pb2.Invoice) -> Table:
    """Lines, tax and total."""
    status = invoice_pb2.InvoiceStatus.Name(invoice.status).removeprefix("INVOICE_STATUS_").lower()
    table = Table(
        "line", title=f"{invoice.number or 'draft'} ({status})", title_justify="left", min_width=76
    )
    table.add_column("quantity", justify="right")
    table.add_column("unit", justify="right")
    table.add_column("amount", justify="right")
    for line in invoice.lines:
        table.add_row(
            line.description, line.quantity, line.unit_amount, f"{Decimal(line.amount.amount):.2f}"
        )
    tax = invoice.taxes[0]
    table.add_section()
    table.add_row(
        f"tax {tax.percent} % ({tax.reason})", "", "", f"{Decimal(tax.amount.amount):.2f}"
    )
    table.add_row("[bold]total", "", "", f"[bold]{Decimal(invoice.total.amount):.2f}")
    return table
