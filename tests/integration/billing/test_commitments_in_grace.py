"""What is missing to a cut commitment, where usage comes in the grace of the draft that corrects it (DSL-10, INV-3)."""

from __future__ import annotations

import pytest

from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.committing import GRACE, begin, day, kinds, run, sell


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; calls are 1.00 each. "plan" costs 30.00 a month, "least" at least 90.00."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("30"), calls(flat("1")))
    await sell(made, "least", calls(flat("1")), least="90")
    return made


@pytest.mark.spec("DSL-10", "INV-3", "EVT-9")
async def test_usage_in_the_grace_of_a_corrected_commitment__is_one_correction_by_all_of_it(
    desk: Desk,
) -> None:
    customer, held = await begin(desk, "least")
    desk.market.clock.advance(day(4, 5))
    await desk.market.use(customer, "20", day(4, 5))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("plan"), NOW, Proration.INVOICE_NOW)
    await run(desk, day(4, 16))
    desk.market.clock.advance(day(4, 20))
    await desk.change(held, to_plan("least"), NOW, Proration.INVOICE_NOW)
    desk.market.clock.advance(day(4, 25))
    await desk.market.use(customer, "40", day(4, 25))
    await desk.market.bill(day(5, 1))
    await desk.market.use(customer, "3", day(4, 30))
    await desk.market.bill(day(5, 1) + GRACE)

    # 26 of 30 days: 78.00, less 20.00 and 43.00 of usage: 15.00; 25.00 had been missing to 15 days.
    last = (await desk.invoices())[-1]
    assert last.number
    assert ("adjustment", "-10.00") in kinds(last)
    assert [kind for kind, _ in kinds(last)].count("adjustment") == 1
