"""Checking and recording in one call, on real stores (ENT-9)."""

from __future__ import annotations

import asyncio

import pytest
from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import reservation_service_pb2 as pb
from candela.metering.v1 import event_pb2

from candela_server.entitlement import reservation_store
from candela_server.entitlement.reservation import EventKeyTakenError, NotReservableError
from candela_server.entitlement.reservation_wire import usage_events_to_proto
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.metering.model import IngestionUnavailableError
from candela_server.storage.redis import Redis

from tests.integration.entitlement.reserving import LIMIT, Desk, usage_of


@pytest.mark.spec("ENT-9")
async def test_fifty_callers_on_two_servers_for_the_last_units__exactly_the_limit_passes(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    await desk.record(customer, "5")
    await desk.reserve(customer, "3")

    got = await asyncio.gather(
        *[(desk, other_desk)[number % 2].consume(customer) for number in range(50)]
    )

    assert sum(one.consumed for one in got) == LIMIT - 5 - 3
    assert await desk.used(customer) == LIMIT - 3
    refused = [one.entitlement for one in got if not one.consumed]
    assert {one.denial_reason for one in refused} == {entitlement_pb2.DENIAL_REASON_LIMIT_REACHED}
    assert {one.usage.reserved for one in refused} == {"3"}


@pytest.mark.spec("ENT-9", "ENT-4")
async def test_consumed__is_counted_by_the_answer_and_by_the_next_check(desk: Desk) -> None:
    customer = await desk.shop.sign_up()

    got = [await desk.consume(customer, quantity) for quantity in ("1.5", None, "17.5", "0.1")]

    assert [one.consumed for one in got] == [True, True, True, False]
    assert [usage_of(one)[0] for one in got] == ["1.5", "2.5", "20", "20"]
    assert [one.entitlement.entitled for one in got] == [True, True, True, False]
    assert await desk.used(customer) == 20


@pytest.mark.spec("ENT-9", "ENT-4")
async def test_every_unit_consumed__is_in_the_next_check_of_the_other_server(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    seen = []
    for _ in range(5):
        await desk.consume(customer)
        seen.append(await other_desk.used(customer))

    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.spec("ENT-9", "AUD-2")
async def test_repeated_by_key__takes_once_and_answers_the_same(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()

    got = await asyncio.gather(
        *[one.consume(customer, "4", key="once") for one in (desk, other_desk, desk, other_desk)]
    )

    assert all(one == got[0] for one in got)
    assert await desk.used(customer) == 4


@pytest.mark.spec("ENT-9")
async def test_refused__records_nothing_and_the_same_key_may_succeed_later(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "20")).reservation

    first = await desk.consume(customer, key="patient")
    await desk.release(made)
    second = await desk.consume(customer, key="patient")

    assert (first.consumed, second.consumed) == (False, True)
    assert await desk.used(customer) == 1


@pytest.mark.spec("ENT-9", "EVT-2")
async def test_key_of_a_recorded_event__is_refused_and_takes_nothing(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    event = event_pb2.Event(
        idempotency_key="taken", name="tokens", value="2", customer_id=customer.id
    )
    await desk.ingestor.record(desk.shop.merchant_id, [event])

    with pytest.raises(EventKeyTakenError, match="recorded before"):
        await desk.consume(customer, key="taken")

    assert await desk.used(customer) == 2


@pytest.mark.spec("ENT-9")
async def test_crash_before_and_after_the_event__is_recorded_once_by_the_retry(
    desk: Desk, other_desk: Desk
) -> None:
    shop = desk.shop
    customer = await shop.sign_up()
    await desk.ingestor.stop()
    for key in ("before", "after"):
        with pytest.raises(IngestionUnavailableError):
            await desk.consume(customer, "9", key=key)
    async with shop.db.reading(shop.merchant_id) as tx:
        decided = await reservation_store.find_by_event_key(tx, "after")
    assert decided is not None
    await other_desk.ingestor.record(shop.merchant_id, usage_events_to_proto(decided))

    refused = await other_desk.consume(customer, "3")  # both count, each once
    assert (refused.consumed, usage_of(refused)) == (False, ("18", "0", "2"))
    for key in ("before", "after", "before", "after"):
        assert (await other_desk.consume(customer, "9", key=key)).consumed

    assert await other_desk.used(customer) == 18
    await other_desk.settler.stop()
    async with shop.db.reading(shop.merchant_id) as tx:
        assert await reservation_store.find_by_event_key(tx, "after") is None


@pytest.mark.spec("ENT-9")
async def test_redis_flushed_while_fifty_consume__exactly_the_limit_passes(
    desk: Desk, other_desk: Desk, redis: Redis
) -> None:
    customer = await desk.shop.sign_up()

    async def flush() -> None:
        for _ in range(10):
            await redis.client.flushall()
            await asyncio.sleep(0.005)

    flushing = asyncio.create_task(flush())
    got = await asyncio.gather(
        *[(desk, other_desk)[number % 2].consume(customer) for number in range(50)]
    )
    await flushing

    assert sum(one.consumed for one in got) == LIMIT
    assert await desk.used(customer) == LIMIT
    assert await other_desk.used(customer) == LIMIT


@pytest.mark.spec("ENT-9", "ENT-6")
async def test_nobody_and_nothing_granted__are_answers_and_mistakes_are_errors(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    nobody = await desk.call(
        "Consume",
        pb.ConsumeRequest(idempotency_key="k", customer_id=new_id("cus"), feature="tokens"),
    )

    assert not nobody.consumed
    assert nobody.entitlement.denial_reason == entitlement_pb2.DENIAL_REASON_CUSTOMER_UNKNOWN
    with pytest.raises(NotReservableError):
        await desk.consume(customer, "1", "reports")
    with pytest.raises(InvalidInput, match="properties_json"):
        await desk.call(
            "Consume",
            pb.ConsumeRequest(
                idempotency_key="k",
                customer_id=customer.id,
                feature="tokens",
                properties_json=b"[1]",
            ),
        )
    with pytest.raises(InvalidInput, match="idempotency_key"):
        await desk.call("Consume", pb.ConsumeRequest(customer_id=customer.id, feature="tokens"))
