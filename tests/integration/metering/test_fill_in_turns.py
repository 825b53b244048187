"""Fills of all merchants go on in turns: a small one is done soon, however much a large one has to read (EVT-10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from candela_server.catalog.model import Aggregation, Metric
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerByExternalId
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.metering import fill_history as fill_module
from candela_server.metering import fill_in_turns as turns_module
from candela_server.metering import tasks
from candela_server.storage.events import EventStore, EventStoreUnavailableError
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.integration.metering.builders import Metering, event, start_metering

_NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)


@dataclass(slots=True)
class Yard:
    """A database whose merchants are all known, and whose step it was, step by step."""

    large: Metering
    small: Metering
    third: Metering
    steps: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda merchant_id, metric_id: None
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def fill(self) -> int:
        """Fills everybody's metrics, as the worker does."""
        one = self.large
        return await tasks.fill_metrics(one.db, one.events, one.counters, one.clock)

    async def begin(self, steps: int) -> asyncio.Task[int]:
        """A run that stands still before the step that comes after so many, until `going` is set."""
        reached = asyncio.Event()

        def stand_still(_merchant_id: str, _metric_id: str) -> None:
            if len(self.steps) == steps:
                self.going.clear()
                reached.set()

        self.before = stand_still
        running = asyncio.create_task(self.fill())
        await reached.wait()
        return running

    def steps_of(self, metering: Metering) -> list[int]:
        """When it was this merchant's turn."""
        return [
            place for place, (whose, _) in enumerate(self.steps) if whose == metering.merchant_id
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def yard(
    own_database: str, clock: FixedClock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Yard]:
    """Three merchants, one of whom has many events; a step goes through few of them."""
    monkeypatch.setattr(fill_module, "STEP_EVENTS", 10)
    db, events = Postgres(own_database, clock), EventStore(own_database)
    await db.open()
    await events.open()
    started = []
    for name, count in (("Large", 400), ("Small", 40), ("Third", 40)):
        created = await create_merchant(db, clock, CreateMerchant(name=name, mode=Mode.TEST))
        one = await start_metering(db, events, clock, redis, created.merchant.id)
        acme = await one.add_customer("acme")
        await one.record(
            *[
                event(f"e{number}", acme, "2", at=_NOON - timedelta(minutes=16 * number))
                for number in range(count)
            ]
        )
        started.append(one)
    made = Yard(*started)
    made.going.set()
    take_step = fill_module._step

    async def watched(
        on: EventStore, at: FixedClock, merchant_id: str, metric: Metric, *rest: object
    ) -> object:
        made.before(merchant_id, metric.id)
        made.steps.append((merchant_id, metric.id))
        await made.going.wait()
        return await take_step(on, at, merchant_id, metric, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(fill_module, "_step", watched)
    yield made
    for one in started:
        await one.ingestor.stop()
        await one.counters.stop()
    await events.close()
    await db.close()


async def _young(metering: Metering, slug: str) -> Metric:
    return await metering.add_metric(slug, Aggregation.SUM, filled=False)


@pytest.mark.spec("EVT-10")
async def test_one_has_much_to_read__the_others_are_done_after_their_own_steps(yard: Yard) -> None:
    for slug in ("first", "second"):
        await _young(yard.large, slug)
    own = [await _young(yard.small, "own"), await _young(yard.small, "more")]
    await _young(yard.third, "own")

    assert await yard.fill() == 5

    large, small, third = map(yard.steps_of, (yard.large, yard.small, yard.third))
    assert len(large) > 5 * len(small) > 5 * 4
    # Between two steps of one, each of the others had one at most or waits for nobody; so the small ones are done soon.
    assert max(small) < 3 * len(small) + 6
    assert max(third) < 3 * len(third) + 6
    # And of one merchant's metrics none waits for the other.
    firsts = [metric for whose, metric in yard.steps if whose == yard.small.merchant_id]
    assert set(firsts[:2]) == {one.id for one in own}
    acme = await yard.large.add_customer()
    assert await yard.large.usage(await _young(yard.large, "late"), acme) == 0


@pytest.mark.spec("EVT-10")
async def test_fill_that_begins_while_a_large_one_goes_on__is_done_before_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "LOOK_S", 0.0)
    await _young(yard.large, "first")
    running = await yard.begin(3)
    await _young(yard.small, "own")
    yard.going.set()
    completed = await running

    assert completed == 2
    assert max(yard.steps_of(yard.small)) < max(yard.steps_of(yard.large)) - 5


@pytest.mark.spec("EVT-10")
async def test_run_that_is_killed__the_next_one_goes_on_where_it_was(yard: Yard) -> None:
    metric = await _young(yard.large, "first")
    running = await yard.begin(12)
    yard.going.set()
    # Somewhere in the step that comes next.
    for _ in range(10):
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    before = len(yard.steps)
    assert await yard.fill() == 1
    after = len(yard.steps) - before

    # One step may have been broken off, and the last one finds nothing; none is taken twice but that.
    whole = await _steps_of_a_fresh_fill(yard)
    assert before + after <= whole + 1
    assert await yard.large.usage(metric, await _acme(yard.large)) == 800


async def _steps_of_a_fresh_fill(yard: Yard) -> int:
    before = len(yard.steps)
    await _young(yard.large, "again")
    assert await yard.fill() == 1
    return len(yard.steps) - before


async def _acme(metering: Metering) -> Customer:
    async with metering.db.reading(metering.merchant_id) as tx:
        return await customer.get_customer(tx, CustomerByExternalId("acme"))


@pytest.mark.spec("EVT-10")
async def test_one_that_is_locked_out_or_wrong__holds_up_nobody(yard: Yard) -> None:
    locked = await _young(yard.large, "locked")
    wrong = await _young(yard.small, "wrong")
    await _young(yard.third, "fine")

    def before(merchant_id: str, metric_id: str) -> None:
        if metric_id == locked.id:
            raise EventStoreUnavailableError
        if metric_id == wrong.id:
            raise RuntimeError("never seen such a thing")

    yard.before = before
    assert await yard.fill() == 1
    # It is left alone for a while, and goes on then; what is wrong waits for somebody.
    yard.before = lambda merchant_id, metric_id: None
    assert await yard.fill() == 1
    assert yard.steps[-1][1] == locked.id
