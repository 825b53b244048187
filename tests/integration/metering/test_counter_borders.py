"""Windows that begin or end inside a quarter-hour: their counters hold what lies inside, and nothing else (ENT-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk
from candela_server.metering.rules.bucket import bucket_start

from tests.integration.metering.builders import Metering, event, usage_of

INSIDE_QUARTER_HOUR: Final = timedelta(minutes=7)
"""How far behind the beginning of a quarter-hour the border of the windows lies."""


@pytest.mark.spec("ENT-4")
@pytest.mark.parametrize(
    ("minutes", "want_behind", "still_there"),
    [
        pytest.param([8, 9], "2", True, id="events behind the border are added"),
        pytest.param([3, 5], "0", True, id="events before the border change nothing"),
        pytest.param([7], "1", True, id="an event on the border belongs to what begins there"),
        pytest.param([3, 9], "1", False, id="events on both sides are not divided, but read anew"),
        pytest.param([-3, 9], "1", True, id="another quarter-hour's events do not cut this one's"),
    ],
)
async def test_flush_beside_a_border_inside_a_quarter_hour__counts_what_lies_behind_it(
    metering: Metering, minutes: list[int], want_behind: str, still_there: bool
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    quarter_at = bucket_start(metering.clock.now() - timedelta(hours=3))
    border = quarter_at + INSIDE_QUARTER_HOUR
    before = Interval(border - timedelta(hours=1), border)
    behind = Interval(border, border + timedelta(hours=1))
    asks = [UsageAsk(metric=calls, who=usage_of(acme), window=one) for one in (before, behind)]
    assert await metering.counters.read(metering.merchant_id, asks) == [0, 0]

    await metering.record(
        *[
            event(f"k{minute}", acme, at=quarter_at + timedelta(minutes=minute))
            for minute in minutes
        ]
    )

    want = [len(minutes) - Decimal(want_behind), Decimal(want_behind)]
    kept = await metering.cache.read([(metering.merchant_id, ask) for ask in asks])
    assert kept == (want if still_there else [None, None])
    assert await metering.counters.read(metering.merchant_id, asks) == want
