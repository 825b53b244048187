"""A commitment of several years counts all that was charged in them (DSL-10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from tests.helpers.market import Market, fee, money


@pytest.mark.spec("DSL-10")
async def test_commitment_of_four_years__counts_the_first_years_charges(market: Market) -> None:
    await market.sell(
        fee("100", rule="FREQ=YEARLY"),
        commitment=price_terms_pb2.MinimumCommitment(
            amount=money("450"), recurrence_rule="FREQ=YEARLY;INTERVAL=4"
        ),
    )
    await market.subscribe()
    for year in range(2026, 2031):
        await market.bill(datetime(year, 1, 31, 15, tzinfo=UTC))

    # 4 × 100.00 were charged of 450.00.
    assert [one.total for one in await market.invoices()] == [
        *[Decimal("100.00")] * 4,
        Decimal("150.00"),
    ]
