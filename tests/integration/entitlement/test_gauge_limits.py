"""Limits on a present state, such as "at most 20 projects": no period resets them (ENT-4, EVT-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from candela.catalog.v1 import metric_pb2
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2

from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.model import Aggregation
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.entitlement.model import Answer, Denial
from candela_server.entitlement.reservation import NotReservableError
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.integration.entitlement.reserving import LIMIT, Desk, Shop, bounded_plan, open_desk


@pytest_asyncio.fixture(
    loop_scope="session",
    params=[metric_pb2.AGGREGATION_SUM, metric_pb2.AGGREGATION_LAST],
    ids=["sum", "last"],
)
async def standing(
    request: pytest.FixtureRequest,
    db: Postgres,
    clock: FixedClock,
    merchant: TestMerchant,
    events: EventStore,
    redis: Redis,
    redis_url: str,
) -> AsyncIterator[Desk]:
    """A server process of a merchant whose limit of "tokens" is one on what stands."""
    plan = bounded_plan()
    [metric] = [one for one in plan.metrics if one.slug == "tokens"]
    metric.gauge, metric.aggregation = True, request.param
    async with db.writing(merchant.id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(plan))
    async with open_desk(Shop(db, clock, merchant.id), events, redis_url) as opened:
        yield opened


def standing_is_sent_whole(answer: Answer) -> bool:
    """Whether an event says the whole state, so that a quantity cannot be taken from it by another one."""
    metered = answer.state.metered
    return metered is not None and metered.metric.aggregation is Aggregation.LAST


async def _asked_quickly(desk: Desk, customer_id: str) -> entitlement_pb2.Entitlement:
    question = entitlement_service_pb2.CheckRequest(customer_id=customer_id, feature="tokens")
    answer = await desk.quick.check(desk.shop.merchant_id, question.SerializeToString())
    return entitlement_service_pb2.CheckResponse.FromString(answer).entitlement


@pytest.mark.spec("ENT-4", "EVT-5", "EVT-7")
async def test_a_limit_that_is_reached__is_still_reached_in_the_next_period(
    standing: Desk,
) -> None:
    customer = await standing.shop.sign_up()
    await standing.record(customer, str(LIMIT))
    assert not (await standing.check(customer)).entitled
    standing.shop.clock.advance(standing.shop.clock.now() + timedelta(days=70))

    answer = await standing.check(customer)
    shown = await _asked_quickly(standing, customer.id)

    assert answer.denial is Denial.LIMIT_REACHED
    assert answer.usage is not None
    assert (answer.usage.used, answer.usage.resets_at) == (LIMIT, None)
    assert not shown.entitled
    assert not shown.usage.HasField("resets_at")


@pytest.mark.spec("ENT-9", "EVT-5")
async def test_consuming_a_state__takes_from_what_stands_in_every_period(standing: Desk) -> None:
    customer = await standing.shop.sign_up()
    await standing.record(customer, "15")
    standing.shop.clock.advance(standing.shop.clock.now() + timedelta(days=70))
    if standing_is_sent_whole(await standing.check(customer)):
        with pytest.raises(NotReservableError):
            await standing.consume(customer, "2")
        return

    got = [(await standing.consume(customer, "2")).consumed for _ in range(3)]
    await standing.record(customer, "-4")
    again = (await standing.consume(customer, "2")).consumed

    assert got == [True, True, False]
    assert again
    assert await standing.used(customer) == 17
