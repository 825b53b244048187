"""Weighted sums from the event to the answer: what is carried in, what comes late, what counters forget (EVT-5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.interval import Interval
from candela_server.metering.model import BucketSize, UsageAsk
from candela_server.metering.query_usage import query_buckets

from tests.helpers.waiting import eventually
from tests.integration.metering.builders import Metering, event, usage_of

_DAY = timedelta(days=1)
# Ten days whose ends cut quarter-hours.
_START = datetime(2026, 1, 15, 10, 7, 23, tzinfo=UTC)
_WINDOW = Interval(_START, _START + 10 * _DAY)


@pytest.mark.spec("EVT-5", "EVT-7")
async def test_a_level_that_changes__counts_for_as_long_as_it_was_held(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    storage = await metering.add_metric("storage", Aggregation.WEIGHTED_SUM)
    await metering.record(
        # 100 from long before, and 20 more a microsecond before the window: held for all of it.
        event("old", acme, "100", at=_START - 5 * _DAY),
        event("just before", acme, "20", at=_START - timedelta(microseconds=1)),
        # 50 for the second half: 25. 10 fewer for the last day: -1.
        event("added", ada, "50", at=_START + 5 * _DAY),
        event("removed", acme, "-10", at=_START + 9 * _DAY),
        # At the very end: belongs to the next window.
        event("next", acme, "1000", at=_WINDOW.end_at),
    )

    assert await metering.usage(storage, acme, _WINDOW) == Decimal("144")
    assert await metering.usage(storage, ada, _WINDOW) == Decimal("25")


@pytest.mark.spec("EVT-5", "EVT-9", "ENT-4")
async def test_a_late_event_from_before_the_window__is_in_the_next_answer(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    storage = await metering.add_metric("storage", Aggregation.WEIGHTED_SUM)
    await metering.record(event("a", acme, "10", at=_START + 5 * _DAY))
    assert await metering.counter(storage, acme, _WINDOW) == 5
    ask = UsageAsk(metric=storage, who=usage_of(acme), window=_WINDOW)

    async def is_filled() -> bool:
        return await metering.cache.read([(metering.merchant_id, ask)]) != [None]

    await eventually(is_filled, "the counter is filled")

    await metering.record(event("late", acme, "3", at=_START - 10 * _DAY))

    assert await metering.counter(storage, acme, _WINDOW) == 8
    assert await metering.usage(storage, acme, _WINDOW) == 8


@pytest.mark.spec("EVT-5", "EVT-8")
async def test_days_of_a_weighted_sum__average_to_the_whole(metering: Metering) -> None:
    acme = await metering.add_customer()
    storage = await metering.add_metric("storage", Aggregation.WEIGHTED_SUM)
    await metering.record(
        *[
            event(f"k{number}", acme, str(number - 7), at=_START + number * timedelta(hours=17))
            for number in range(-3, 14)
        ]
    )

    days = await query_buckets(
        metering.events,
        metering.merchant_id,
        storage,
        usage_of(acme),
        _WINDOW,
        size=BucketSize.DAY,
        zone=ZoneInfo("Asia/Kathmandu"),
    )

    microsecond = timedelta(microseconds=1)
    area = sum(day.value * (day.window.duration // microsecond) for day in days)
    whole = await metering.usage(storage, acme, _WINDOW)
    assert len(days) == 11
    assert abs(area / (_WINDOW.duration // microsecond) - whole) < Decimal("0.00000000001")
