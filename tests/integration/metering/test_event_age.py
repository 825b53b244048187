"""Events grow old: they are dropped whole months or chunks at a time, and usage stays (EVT-8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.interval import Interval
from candela_server.metering import tasks
from candela_server.metering.rules.filled import EventsDroppedError

from tests.integration.metering.builders import Metering, event

_RETENTION = timedelta(days=400)


@pytest.mark.spec("EVT-8", "EVT-10")
async def test_events_beyond_the_retention__are_dropped_and_their_usage_stays(
    alone: Metering,
) -> None:
    acme = await alone.add_customer("acme")
    calls = await alone.add_metric("calls", Aggregation.SUM)
    old_at = alone.clock.now()
    await alone.record(event("old", acme, "3", at=old_at))
    old = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    alone.clock.advance(old_at + timedelta(days=430))
    await alone.record(event("young", acme, "4"))

    kept_for_good = await tasks.age_events(alone.events, alone.clock, None)
    too_early = await tasks.age_events(alone.events, alone.clock, timedelta(days=500))
    assert await _event_count(alone) == 2
    dropped = await tasks.age_events(alone.events, alone.clock, _RETENTION)
    again = await tasks.age_events(alone.events, alone.clock, _RETENTION)

    assert (kept_for_good, too_early, again) == (0, 0, 0)
    assert dropped >= 1
    assert await _event_count(alone) == 1
    assert await alone.usage(calls, acme, old) == 3
    assert await alone.usage(calls, acme) == 4
    with pytest.raises(EventsDroppedError):
        await alone.usage(calls, acme, Interval(old_at + timedelta(seconds=1), old.end_at))

    # A metric that is made now reads what is kept, and one that is filled again loses nothing.
    late = await alone.add_metric("late", Aggregation.SUM)
    async with alone.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute("DELETE FROM metric_fill")
        await connection.execute("DELETE FROM metric_history")
    refilled = await alone.fill()
    assert refilled == 2
    assert await alone.usage(late, acme) == 4
    assert await alone.usage(calls, acme) == 4
    assert await alone.usage(calls, acme, old) == 3


async def _event_count(metering: Metering) -> int:
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM event WHERE merchant_id = %s", [metering.merchant_id]
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.spec("EVT-8")
async def test_compression__is_on_exactly_where_the_database_has_it(alone: Metering) -> None:
    async with alone.events.writer() as connection:
        cursor = await connection.execute("SELECT current_setting('timescaledb.license', true)")
        row = await cursor.fetchone()
        assert row is not None
        cursor = await connection.execute("SELECT candela_compress_events(interval '60 days')")
        on = await cursor.fetchone()
        assert on is not None

    assert on[0] == (row[0] == "timescale")
