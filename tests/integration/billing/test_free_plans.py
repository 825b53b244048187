"""What a free plan bills is final at once, whatever it measures (SUB-2, INV-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.billing.model import InvoiceStatus

from tests.helpers.market import Market, calls, fee, flat, money

FEBRUARY = datetime(2026, 2, 28, 15, tzinfo=UTC)
MIDDLE = FEBRUARY - timedelta(days=14)


@pytest.mark.spec("SUB-2", "INV-3")
@pytest.mark.parametrize(
    ("charge", "status"),
    [
        (flat("0"), InvoiceStatus.PAID),
        (flat("1"), InvoiceStatus.DRAFT),
        (
            price_terms_pb2.ChargeModel(
                graduated=price_terms_pb2.GraduatedCharge(
                    tiers=[
                        price_terms_pb2.Tier(up_to="100", unit_price=money("0")),
                        price_terms_pb2.Tier(unit_price=money("1")),
                    ]
                )
            ),
            InvoiceStatus.DRAFT,
        ),
    ],
    ids=["free", "unused", "free so far"],
)
async def test_invoice_of_nothing__waits_only_where_late_usage_can_cost_something(
    market: Market, charge: price_terms_pb2.ChargeModel, status: InvoiceStatus
) -> None:
    await market.sell(fee("0"), calls(charge))
    customer = await market.subscribe()
    market.clock.advance(MIDDLE)
    if status is InvoiceStatus.PAID:
        await market.use(customer, "3", MIDDLE)
    await market.bill(FEBRUARY)

    last = (await market.invoices())[-1]
    assert (last.total, last.status) == (0, status)
    assert [line.kind.value for line in last.lines].count("usage") == 1
