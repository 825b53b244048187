"""The periods of many end at one instant while they are asked about: no refusal, no old answer, no herd (ENT-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.customer.model import CustomerById
from candela_server.customer.read import get_customer
from candela_server.entitlement.build_ahead import HORIZON
from candela_server.entitlement.cold_reader import BATCH
from candela_server.entitlement.model import Denial
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.crediting import PREMIUM, give
from tests.helpers.snapshots import build_snapshot
from tests.helpers.waiting import becomes
from tests.integration.entitlement.test_herds import ANALYTICS, Server, serving

CUSTOMERS = 300
ASKING = 20


@pytest.fixture
async def server(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore
) -> AsyncIterator[Server]:
    """A server process that knows many customers, whose first periods end at one instant."""
    async with serving(db, clock, merchant, events, by_switches=True, customers=CUSTOMERS) as made:
        yield made


async def end_of_period(server: Server) -> datetime:
    """When what is known of all of them ends."""
    ends = set()
    for one in server.customer_ids:
        known = await server.checker.snapshot(server.shop.merchant_id, CustomerById(one))
        ends.add(known.valid_until)
    [end] = ends
    assert end is not None
    return end


async def ask(server: Server, customer_id: str) -> entitlement_pb2.Entitlement:
    request = pb.CheckRequest(customer_id=customer_id, feature=PREMIUM)
    answer = await server.quick.check(server.shop.merchant_id, request.SerializeToString())
    response = pb.CheckResponse.FromString(answer)
    assert not response.freshness.stale
    return response.entitlement


async def ask_on(
    server: Server, end: datetime, stopping: asyncio.Event, lane: int, rounds: list[int]
) -> None:
    """Asks for one after the other, round after round; each answer is of the period that the clock is in."""
    clock = server.shop.clock
    while not stopping.is_set():
        for one in server.customer_ids[lane::ASKING]:
            began = clock.now()
            got = (await ask(server, one)).usage.resets_at.ToDatetime(end.tzinfo)
            if began >= end:
                assert got > end, "an answer of the period that is over"
            elif clock.now() < end:
                assert got == end
        rounds[lane] += 1
        await asyncio.sleep(0)


async def until_all_were_asked(rounds: list[int]) -> None:
    """Returns when every lane has begun and ended a round since."""
    begun = [count + 2 for count in rounds]
    await becomes(lambda: all(now >= then for now, then in zip(rounds, begun, strict=True)))


@pytest.mark.spec("ENT-5", "ENT-4")
async def test_periods_that_end_together_while_all_are_asked_about__nobody_is_read_at_that_instant(
    server: Server,
) -> None:
    end = await end_of_period(server)
    clock = server.shop.clock
    clock.advance(end - HORIZON / 2)
    for one in server.customer_ids:
        await ask(server, one)
    server.db.readings = 0
    stopping = asyncio.Event()
    rounds = [0] * ASKING
    asking = [
        asyncio.create_task(ask_on(server, end, stopping, lane, rounds)) for lane in range(ASKING)
    ]
    built = await server.ahead.run_once()
    ahead_by = server.db.readings
    clock.advance(end - timedelta(microseconds=1))
    await until_all_were_asked(rounds)
    clock.advance(end)
    await until_all_were_asked(rounds)
    stopping.set()
    await asyncio.gather(*asking)

    assert built == CUSTOMERS
    assert ahead_by <= CUSTOMERS / BATCH + 1
    assert server.db.readings == ahead_by, "nobody was read at the end or after it"


@pytest.mark.spec("ENT-5", "ENT-4")
async def test_what_was_built_ahead__is_what_would_be_read_at_that_instant(server: Server) -> None:
    server.customer_ids = server.customer_ids[:5]
    end = await end_of_period(server)
    clock = server.shop.clock
    clock.advance(end - HORIZON / 2)
    assert await server.ahead.run_once() > 0
    clock.advance(end)
    server.db.readings = 0
    for who in map(CustomerById, server.customer_ids):
        got = await server.checker.snapshot(server.shop.merchant_id, who)
        async with server.shop.db.reading(server.shop.merchant_id) as tx:
            want = await build_snapshot(tx, clock, who)
        assert dict(got.features) == dict(want.features)
        assert got.valid_until == want.valid_until
    assert server.db.readings == 0


@pytest.mark.spec("ENT-5", "ENT-11")
async def test_change_after_it_was_built_ahead__is_in_the_first_answer_of_the_period(
    server: Server,
) -> None:
    server.customer_ids = server.customer_ids[:2]
    end = await end_of_period(server)
    whos = [CustomerById(one) for one in server.customer_ids]
    clock, merchant_id = server.shop.clock, server.shop.merchant_id
    clock.advance(end - HORIZON / 2)
    await server.ahead.run_once()
    async with server.shop.db.reading(merchant_id) as tx:
        holder = await get_customer(tx, whos[0])
    await give(server.shop, holder, "500")
    await server.switch(on=False)
    clock.advance(end)
    got = [await server.checker.snapshot(merchant_id, who) for who in whos]
    async with server.shop.db.reading(merchant_id) as tx:
        want = [await build_snapshot(tx, clock, who) for who in whos]

    assert [dict(one.features) for one in got] == [dict(one.features) for one in want]
    assert [one.features[ANALYTICS].denial for one in got] == [Denial.FEATURE_DISABLED] * 2
    limits = [one.features[PREMIUM].metered.limit for one in want]  # type: ignore[union-attr]
    assert limits[0] == limits[1] + 500


@pytest.mark.spec("ENT-5")
async def test_customers_nobody_asks_about_again__are_left_alone(server: Server) -> None:
    end = await end_of_period(server)
    clock = server.shop.clock
    clock.advance(end - HORIZON * 2)
    assert await server.ahead.run_once() == 0, "too soon"
    async with server.shop.db.writing(server.shop.merchant_id) as tx:
        await tx.entitlements_changed_of(server.customer_ids[10:])
    await server.changes.catch_up()
    clock.advance(end - HORIZON / 2)
    # Read once more, and never asked for again.
    for one in server.customer_ids[10:]:
        await ask(server, one)

    assert await server.ahead.run_once() == 10


@pytest.mark.spec("ENT-5")
async def test_what_nobody_asked_for_when_its_time_came__is_built_again_for_the_next_end(
    server: Server,
) -> None:
    server.customer_ids = server.customer_ids[:3]
    clock = server.shop.clock
    end = await end_of_period(server)
    clock.advance(end - HORIZON / 2)
    assert await server.ahead.run_once() > 0
    # Nobody asks until the next period is nearly over, when what was built ahead is taken, and asked for again.
    clock.advance(end + timedelta(days=20))
    end = await end_of_period(server)
    await end_of_period(server)
    clock.advance(end - HORIZON / 2)

    assert await server.ahead.run_once() == len(server.customer_ids)
    clock.advance(end + timedelta(days=40))
    server.db.readings = 0
    # Its time has passed as well: they are read.
    await end_of_period(server)
    assert server.db.readings > 0
