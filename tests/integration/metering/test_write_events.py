"""Writers flush on while others are told, in order, and nobody is told too early (EVT-3, ENT-4)."""

from __future__ import annotations

import asyncio

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.metering.bumps import Bumps
from candela_server.metering.model import IngestionUnavailableError, Outcome

from tests.helpers.waiting import eventually
from tests.integration.metering.builders import Metering, event


@pytest.mark.spec("EVT-3", "ENT-4")
async def test_the_next_flush__is_stored_while_counters_hear_of_the_last_and_told_after_it(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    begun: list[int] = []
    going_on = asyncio.Event()

    async def bump_slowly(writer: int, sequence: int, bumps: Bumps) -> None:
        begun.append(sequence)
        await going_on.wait()

    monkeypatch.setattr(metering.counters, "bump", bump_slowly)
    first = asyncio.create_task(metering.record(event("k1", acme)))
    await eventually(lambda: _stored(metering, 1))
    second = asyncio.create_task(metering.record(event("k2", acme)))
    await eventually(lambda: _stored(metering, 2))

    assert len(begun) == 1
    assert not first.done()
    assert not second.done()
    going_on.set()
    assert (await first).outcomes == (await second).outcomes == [Outcome.ACCEPTED]
    assert begun == [begun[0], begun[0] + 1]
    assert await metering.usage(calls, acme) == 2


@pytest.mark.spec("EVT-3", "ENT-4")
async def test_counters_that_fail_unforeseen__leave_events_unacknowledged_and_the_writer_alive(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)

    async def fail(writer: int, sequence: int, bumps: Bumps) -> None:
        raise ValueError("nobody thought of this")

    with monkeypatch.context() as failing:
        failing.setattr(metering.counters, "bump", fail)
        with pytest.raises(IngestionUnavailableError):
            await metering.record(event("k1", acme))
    again = await metering.record(event("k1", acme), event("k2", acme))

    assert again.outcomes == [Outcome.DEDUPLICATED, Outcome.ACCEPTED]
    assert await metering.counter(calls, acme) == 2


async def _stored(metering: Metering, count: int) -> bool:
    async with metering.events.reader() as connection:
        # stored-events: whether they are there, not whether they count
        cursor = await connection.execute(
            "SELECT count(*) FROM event WHERE merchant_id = %s", [metering.merchant_id]
        )
        return await cursor.fetchone() == (count,)
