"""Settling with the real use on real stores, through crashes and a lost Redis (ENT-9, faults 17, 18, 61)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from candela.entitlement.v1 import reservation_pb2

from candela_server.customer.archive_user import ArchiveUser, archive_user
from candela_server.customer.model import UserById
from candela_server.entitlement import reservation_store
from candela_server.entitlement.reservation import (
    CommitOverLimitError,
    LimitReachedError,
    ReservationId,
    ReservationSettledError,
    ReservationStatus,
    UseNotRecordedError,
)
from candela_server.entitlement.reservation_wire import usage_events_to_proto
from candela_server.entitlement.settle_reservation import PATIENCE
from candela_server.kernel.errors import Reason
from candela_server.metering.model import IngestionUnavailableError
from candela_server.storage.events import EventStore
from candela_server.storage.redis import Redis

from tests.integration.entitlement.reserving import Desk, open_desk, usage_of

COMMITTED = reservation_pb2.RESERVATION_STATUS_COMMITTED
HELD = reservation_pb2.RESERVATION_STATUS_HELD
CAP = reservation_pb2.OVERAGE_BEHAVIOR_CAP
ALLOW = reservation_pb2.OVERAGE_BEHAVIOR_ALLOW


@pytest.mark.spec("ENT-9")
async def test_less_than_reserved__is_recorded_and_the_rest_given_back(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "20")).reservation

    got = await desk.commit(made, "7.5")

    assert usage_of(got) == ("7.5", "0", "12.5")
    assert (got.reservation.status, got.reservation.committed_quantity) == (COMMITTED, "7.5")
    assert await desk.used(customer) == 7.5
    answer = await desk.until_reserved(customer, 0)
    assert answer.usage is not None
    assert answer.usage.remaining == 12.5
    assert (await desk.get(made)) == got.reservation


@pytest.mark.spec("ENT-9")
async def test_nothing_used__gives_all_back_and_records_nothing(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "20")).reservation

    got = await desk.commit(made, "0")

    assert usage_of(got) == ("0", "0", "20")
    assert (await desk.get(made)).status == COMMITTED


@pytest.mark.spec("ENT-9")
async def test_more_than_reserved__follows_the_overage_behavior(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    others = (await desk.reserve(customer, "8")).reservation
    made = (await desk.reserve(customer, "10")).reservation

    with pytest.raises(CommitOverLimitError, match="at most 12") as caught:
        await desk.commit(made, "13")
    assert caught.value.metadata["remaining"] == "12"
    assert (await desk.get(made)).status == HELD
    capped = await desk.commit(made, "13", overage=CAP)
    allowed = await desk.commit(others, "30", overage=ALLOW)

    assert usage_of(capped) == ("12", "8", "0")
    assert capped.reservation.committed_quantity == "12"
    assert usage_of(allowed) == ("42", "0", "0")
    assert allowed.usage.overage == "22"
    assert await desk.used(customer) == 42


@pytest.mark.spec("ENT-9")
async def test_more_than_reserved_with_room__is_recorded(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "10")).reservation

    assert usage_of(await desk.commit(made, "20")) == ("20", "0", "0")


@pytest.mark.spec("ENT-9", "EVT-5")
async def test_counted_metric__is_an_event_per_unit(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "12", "calls")).reservation

    got = await desk.commit(made, "9")

    assert usage_of(got) == ("9", "0", "11")
    assert await desk.used(customer, "calls") == 9


@pytest.mark.spec("ENT-9", "AUD-2")
async def test_committed_again__repeats_by_key_and_is_settled_otherwise(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "10")).reservation

    got = await asyncio.gather(
        *[one.commit(made, "4", key="done") for one in (desk, other_desk, desk)]
    )

    assert got[0] == got[1] == got[2]
    with pytest.raises(ReservationSettledError, match="committed"):
        await desk.commit(made, "4")
    with pytest.raises(ReservationSettledError, match="committed"):
        await desk.release(made)
    assert await desk.used(customer) == 4


@pytest.mark.spec("ENT-9")
async def test_redis_flushed_between_reserve_and_commit__loses_nothing(
    desk: Desk, redis: Redis
) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "15")).reservation
    await redis.client.flushall()

    with pytest.raises(LimitReachedError):
        await desk.reserve(customer, "6")
    await desk.commit(made, "14")
    await redis.client.flushall()

    assert await desk.used(customer) == 14
    with pytest.raises(LimitReachedError):
        await desk.reserve(customer, "7")
    await desk.reserve(customer, "6")


@pytest.mark.hanging
@pytest.mark.spec("ENT-9")
async def test_redis_gone__decides_and_records_all_the_same(desk: Desk, events: EventStore) -> None:
    customer = await desk.shop.sign_up()

    async with open_desk(desk.shop, events, "redis://127.0.0.1:1/0") as deaf:
        made = (await deaf.reserve(customer, "15")).reservation
        got = await deaf.commit(made, "15")
        with pytest.raises(LimitReachedError):
            await deaf.reserve(customer, "6")

    assert usage_of(got) == ("15", "0", "5")


@pytest.mark.spec("ENT-9")
async def test_crash_between_decision_and_event__counts_at_once_and_is_recorded_once(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "15")).reservation
    await desk.ingestor.stop()  # from here on this process cannot record any more

    with pytest.raises(IngestionUnavailableError):
        await desk.commit(made, "12", key="done")

    with pytest.raises(LimitReachedError, match="8 is left"):
        await other_desk.reserve(customer, "9")
    answer = await other_desk.until_reserved(customer, 12)
    assert answer.usage is not None
    assert answer.usage.used == 0
    got = await other_desk.commit(made, "12", key="done")
    assert usage_of(got) == ("12", "0", "8")
    assert await other_desk.used(customer) == 12
    await other_desk.until_reserved(customer, 0)


@pytest.mark.spec("ENT-9")
async def test_crash_between_event_and_settling__counts_once_after_the_retry(
    desk: Desk, other_desk: Desk
) -> None:
    shop = desk.shop
    customer = await shop.sign_up()
    made = (await desk.reserve(customer, "15")).reservation
    await desk.ingestor.stop()
    with pytest.raises(IngestionUnavailableError):
        await desk.commit(made, "12", key="done")
    async with shop.db.reading(shop.merchant_id) as tx:
        decided = await reservation_store.get_reservation(tx, ReservationId(made.id))
    await other_desk.ingestor.record(shop.merchant_id, usage_events_to_proto(decided))

    assert decided.status is ReservationStatus.COMMITTING
    with pytest.raises(LimitReachedError, match="8 is left"):  # exactly, not counted twice
        await other_desk.reserve(customer, "9")
    await other_desk.commit(made, "12", key="done")
    await other_desk.commit(made, "12", key="done")

    assert await other_desk.used(customer) == 12
    assert (await other_desk.get(made)).status == COMMITTED


@pytest.mark.spec("ENT-9")
async def test_nobody_retries__the_sweep_records_it(desk: Desk, other_desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "15")).reservation
    await desk.ingestor.stop()
    with pytest.raises(IngestionUnavailableError):
        await desk.commit(made, "12")

    desk.shop.clock.advance(desk.shop.clock.now() + PATIENCE + timedelta(seconds=1))
    await other_desk.settler.sweep()
    await other_desk.settler.sweep()

    assert await other_desk.used(customer) == 12
    await other_desk.until_reserved(customer, 0)


@pytest.mark.spec("ENT-9", "EVT-9")
async def test_settled_after_its_instant_is_too_late_for_events__counts_in_the_present(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    made = (await desk.reserve(customer, "15")).reservation
    await desk.ingestor.stop()
    with pytest.raises(IngestionUnavailableError):
        await desk.commit(made, "12", key="done")

    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(days=50))
    await other_desk.commit(made, "12", key="done")
    await other_desk.commit(made, "12", key="done")

    assert await other_desk.used(customer) == 12


@pytest.mark.spec("ENT-9")
async def test_user_archived_before_the_event__takes_nothing_and_says_so_each_time(
    desk: Desk,
) -> None:
    shop = desk.shop
    customer = await shop.sign_up()
    user = await shop.add_user(customer)
    made = (await desk.reserve(user, "15")).reservation
    async with shop.db.writing(shop.merchant_id) as tx:
        await archive_user(tx, shop.clock, ArchiveUser(user=UserById(user.id)))

    for _ in range(2):
        with pytest.raises(UseNotRecordedError, match="nothing was taken") as caught:
            await desk.commit(made, "12", key="done")
        assert caught.value.reason is Reason.USER_NOT_FOUND

    assert (await desk.get(made)).status == reservation_pb2.RESERVATION_STATUS_RELEASED
    await desk.reserve(customer, "20")


@pytest.mark.spec("ENT-9")
async def test_caller_gives_up_while_it_is_recorded__it_is_recorded_all_the_same(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    made = [(await desk.reserve(customer, "2")).reservation for _ in range(8)]

    for number, one in enumerate(made):
        calling = asyncio.create_task(desk.commit(one, key=one.id))
        await asyncio.sleep(number * 0.003)
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
    for one in made:
        await desk.commit(one, key=one.id)

    assert await desk.used(customer) == 16


@pytest.mark.spec("ENT-9")
async def test_period_ended_since_it_was_reserved__counts_where_it_was_committed(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    await desk.record(customer, "5")
    made = (await desk.reserve(customer, "15", hold_s=86_400)).reservation
    usage = (await desk.check(customer)).usage
    assert usage is not None
    desk.shop.clock.advance(usage.resets_at - timedelta(hours=1))
    late = (await desk.reserve(customer, "15", hold_s=86_400)).reservation

    desk.shop.clock.advance(usage.resets_at)

    assert made.id != late.id
    with pytest.raises(LimitReachedError, match="5 is left"):
        await desk.reserve(customer, "6")
    assert usage_of(await desk.commit(late)) == ("15", "0", "5")


@pytest.mark.spec("ENT-9")
async def test_fifty_jobs_at_once_on_two_servers__never_pass_the_limit(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()

    async def work(number: int) -> float:
        one, other = (desk, other_desk) if number % 2 else (other_desk, desk)
        try:
            made = (await one.reserve(customer, "3")).reservation
        except LimitReachedError:
            return 0
        if number % 5 == 0:
            await other.release(made)
            return 0
        got = await other.commit(made, str(number % 4 + 1), overage=CAP)
        return float(got.reservation.committed_quantity)

    got = await asyncio.gather(*[work(number) for number in range(50)])

    used = await desk.used(customer)
    assert sum(got) == used <= 20
