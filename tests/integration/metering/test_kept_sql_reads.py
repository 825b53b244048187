"""Checks of indexed SQL metrics: from what is kept, without running the query (ENT-4, EVT-6, EVT-7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.kernel.interval import Interval
from candela_server.metering.rules.bucket import bucket_start

from tests.helpers.waiting import PATIENCE_S
from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import by_keys, void

_QUERIES = (
    "SELECT count(*) FROM events",
    "SELECT sum(value / 7) FROM events",
    "SELECT min(value) FROM events",
    "SELECT max(value) FROM events",
    "SELECT count(DISTINCT properties->>'model') FROM events",
)


@pytest.mark.spec("EVT-6", "ENT-4")
async def test_indexed_metrics_asked_about_while_the_sandbox_is_taken__are_answered_from_what_is_kept(
    metering: Metering,
) -> None:
    customers = [await metering.add_customer() for _ in range(40)]
    metrics = [await metering.add_sql_metric(query, indexed=True) for query in _QUERIES]
    for number, customer in enumerate(customers):
        await metering.record(event(f"k{number}", customer, str(number), properties={"model": "a"}))
    asked = [(metric, customer) for metric in metrics for customer in customers]
    wanted = await asyncio.gather(*[metering.counter(*one) for one in asked])

    async with metering.events.sandbox.session(metering.merchant_id):
        got = await asyncio.wait_for(
            asyncio.gather(*[metering.counter(*one) for one in asked]), PATIENCE_S
        )

    assert got == wanted
    assert got[:2] == [Decimal(1), Decimal(1)]


@pytest.mark.spec("EVT-6", "ENT-4")
async def test_indexed_metric_changes__the_next_check_measures_what_changed(
    metering: Metering,
) -> None:
    acme, other = await metering.add_customer(), await metering.add_customer()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    await metering.record(event("1", acme, "2"), event("2", other, "5"))
    before = [await metering.counter(metric, one) for one in (acme, other)]

    async with metering.events.sandbox.session(metering.merchant_id):
        await metering.record(event("3", acme, "3"))
        checking = asyncio.create_task(metering.counter(metric, acme))
        beside = await asyncio.wait_for(metering.counter(metric, other), PATIENCE_S)
        waited = not checking.done()
    after = await checking

    assert before == [2, 5]
    assert (beside, waited, after) == (5, True, 5)


@pytest.mark.spec("EVT-7", "ENT-4")
@pytest.mark.parametrize("query", _QUERIES)
async def test_windows_that_cut_quarter_hours__give_what_the_query_gives(
    metering: Metering, query: str
) -> None:
    acme = await metering.add_customer()
    plain = await metering.add_sql_metric(query)
    indexed = await metering.add_sql_metric(query, indexed=True)
    begin = metering.clock.now() - timedelta(hours=2)
    for number in range(6):
        sent = event(
            str(number),
            acme,
            str(number + 1),
            at=begin + timedelta(minutes=11 * number),
            properties={"model": f"m{number % 3}"},
        )
        await metering.record(sent)

    for minutes in (0, 7, 15, 30, 44, 55):
        window = Interval(begin + timedelta(minutes=minutes), begin + timedelta(days=30))
        want = await metering.usage(plain, acme, window)
        got = [await metering.counter(indexed, acme, window=window) for _ in range(2)]
        assert got == [want, want], minutes


@pytest.mark.spec("EVT-6", "ENT-4")
@pytest.mark.parametrize("query", _QUERIES)
async def test_use_in_the_quarter_hour_that_a_window_cuts__is_measured_once_for_all_checks(
    metering: Metering, query: str
) -> None:
    acme = await metering.add_customer()
    metric = await metering.add_sql_metric(query, indexed=True)
    began = bucket_start(metering.clock.now() - timedelta(hours=2)) + timedelta(minutes=7)
    window = Interval(began, began + timedelta(days=30))
    for number, minutes in enumerate((-3, 2, 5, 40)):
        at = began + timedelta(minutes=minutes)
        sent = event(str(number), acme, str(number + 1), at=at, properties={"model": f"m{number}"})
        await metering.record(sent)
    wanted = await metering.counter(metric, acme, window=window)

    async with metering.events.sandbox.session(metering.merchant_id):
        checks = [metering.counter(metric, acme, window=window) for _ in range(100)]
        warm = await asyncio.wait_for(asyncio.gather(*checks), PATIENCE_S)

    assert wanted == await metering.usage(metric, acme, window)
    assert set(warm) == {wanted}


@pytest.mark.spec("EVT-4", "EVT-6", "ENT-4")
async def test_quarter_hour_that_a_window_cuts__is_measured_again_when_its_events_change(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    metric = await metering.add_sql_metric("SELECT sum(value) FROM events", indexed=True)
    began = bucket_start(metering.clock.now() - timedelta(hours=2)) + timedelta(minutes=7)
    window = Interval(began, began + timedelta(days=30))
    inside, before = began + timedelta(minutes=1), began - timedelta(minutes=1)
    found = []
    await metering.record(event("1", acme, "2", at=inside))
    found.append(await metering.counter(metric, acme, window=window))
    await metering.record(event("2", acme, "3", at=inside))
    found.append(await metering.counter(metric, acme, window=window))
    await metering.record(event("3", acme, "5", at=before))
    found.append(await metering.counter(metric, acme, window=window))
    await void(metering, **by_keys("1"))
    found.append(await metering.counter(metric, acme, window=window))

    assert found == [2, 5, 5, 3]
