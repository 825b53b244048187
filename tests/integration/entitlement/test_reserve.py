"""Holding and giving back on real stores (ENT-9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from candela.entitlement.v1 import reservation_pb2
from candela.entitlement.v1 import reservation_service_pb2 as pb

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.customer.model import CustomerNotFoundError
from candela_server.entitlement.reservation import (
    LimitReachedError,
    NotReservableError,
    ReservationNotFoundError,
    ReservationSettledError,
)
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant.advance_test_clock import (
    AdvanceTestClock,
    advance_test_clock,
    move_test_clock,
)
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import IdempotencyMismatchError

from tests.integration.entitlement.reserving import LIMIT, Desk, Shop, open_desk, usage_of

HELD = reservation_pb2.RESERVATION_STATUS_HELD
RELEASED = reservation_pb2.RESERVATION_STATUS_RELEASED
EXPIRED = reservation_pb2.RESERVATION_STATUS_EXPIRED


@pytest.mark.spec("ENT-9")
async def test_fifty_callers_on_two_servers_for_the_last_units__exactly_the_limit_passes(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    await desk.record(customer, "5")

    async def try_one(number: int) -> bool:
        try:
            await (desk, other_desk)[number % 2].reserve(customer, "1")
        except LimitReachedError:
            return False
        return True

    got = await asyncio.gather(*[try_one(number) for number in range(50)])

    assert sum(got) == LIMIT - 5


@pytest.mark.spec("ENT-9", "ENT-4")
async def test_reserved__shows_in_checks_until_it_is_given_back(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    await desk.record(customer, "3")
    await desk.until_reserved(customer, 0)

    made = await desk.reserve(customer, "12.5")

    assert usage_of(made) == ("3", "12.5", "4.5")
    assert made.reservation.status == HELD
    answer = await desk.until_reserved(customer, 12.5)  # type: ignore[arg-type]
    assert answer.usage is not None
    assert answer.usage.remaining == 4.5
    assert (await desk.release(made.reservation)).status == RELEASED
    answer = await desk.until_reserved(customer, 0)
    assert answer.usage is not None
    assert answer.usage.remaining == 17


@pytest.mark.spec("ENT-9", "ENT-5")
async def test_answers_kept_for_the_same_question__follow_what_is_reserved_and_expires(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    await desk.record(customer, "3")
    got = [await other_desk.quick_usage(customer)]

    made = (await desk.reserve(customer, "10", hold_s=60)).reservation
    await desk.reserve(customer, "4", hold_s=120)
    got += [await other_desk.quick_usage(customer) for _ in range(2)]
    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(seconds=60))
    got += [await other_desk.quick_usage(customer)]
    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(seconds=60))
    got += [await other_desk.quick_usage(customer)]

    assert (await desk.get(made)).status == EXPIRED
    assert got == [
        ("3", "0", "17"),
        ("3", "14", "3"),
        ("3", "14", "3"),
        ("3", "4", "13"),
        ("3", "0", "17"),
    ]


@pytest.mark.spec("ENT-9")
async def test_committed__is_use_and_not_reserved_in_the_next_check_of_the_other_server(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()
    seen = []
    for number in range(3):
        made = (await desk.reserve(customer, "4")).reservation
        seen.append(await other_desk.quick_usage(customer))
        await desk.commit(made, "3")
        seen.append(await other_desk.quick_usage(customer))
        assert seen[-2:] == [
            (str(3 * number), "4", str(16 - 3 * number)),
            (str(3 * number + 3), "0", str(17 - 3 * number)),
        ]


@pytest.mark.spec("ENT-9")
async def test_more_than_is_left__is_refused_and_says_what_is(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    await desk.reserve(customer, "15")

    with pytest.raises(LimitReachedError, match="5 is left") as caught:
        await desk.reserve(customer, "5.5")

    assert caught.value.metadata["remaining"] == "5"
    assert caught.value.metadata["feature"] == "tokens"
    await desk.reserve(customer, "5")


@pytest.mark.spec("ENT-9")
async def test_limit_with_overage__never_refuses(desk: Desk) -> None:
    customer = await desk.shop.sign_up()

    made = await desk.reserve(customer, "1000", "pages")

    assert usage_of(made) == ("0", "1000", "0")


@pytest.mark.spec("ENT-9")
async def test_expired__frees_by_itself_and_stays_expired(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    first = (await desk.reserve(customer, "20", hold_s=60)).reservation
    with pytest.raises(LimitReachedError):
        await desk.reserve(customer, "1")

    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(seconds=60))

    assert (await desk.get(first)).status == EXPIRED
    assert (await desk.get(first)).settled_at == first.expires_at
    await desk.until_reserved(customer, 0)
    await desk.reserve(customer, "20")
    with pytest.raises(ReservationSettledError, match="expired"):
        await desk.commit(first)
    assert (await desk.release(first)).status == EXPIRED
    assert await desk.used(customer) == 0


@pytest.mark.spec("ENT-9")
async def test_server_whose_clock_is_behind__cannot_commit_what_another_gave_away(
    desk: Desk, events: EventStore, redis_url: str
) -> None:
    shop = desk.shop
    customer = await shop.sign_up()
    first = (await desk.reserve(customer, "20", hold_s=60)).reservation

    ahead = FixedClock(shop.clock.now() + timedelta(seconds=60))
    async with open_desk(Shop(shop.db, ahead, shop.merchant_id), events, redis_url) as other:
        await other.reserve(customer, "20")

    with pytest.raises(ReservationSettledError, match="expired"):
        await desk.commit(first)


@pytest.mark.spec("ENT-9", "OPS-2")
async def test_customer_on_a_test_clock__expires_by_that_clock(desk: Desk) -> None:
    shop = desk.shop
    async with shop.db.writing(shop.merchant_id) as tx:
        test_clock = await create_test_clock(
            tx, shop.clock, CreateTestClock(now_at=shop.clock.now(), name="t")
        )
    customer = await shop.sign_up(test_clock_id=test_clock.id)
    first = (await desk.reserve(customer, "20", hold_s=3600)).reservation
    shop.clock.advance(shop.clock.now() + timedelta(hours=2))  # time that is not this customer's
    with pytest.raises(LimitReachedError):
        await desk.reserve(customer, "1")

    to = test_clock.now_at + timedelta(hours=1)
    async with shop.db.writing(shop.merchant_id) as tx:
        command = AdvanceTestClock(test_clock_id=test_clock.id, target_at=to)
        await advance_test_clock(tx, shop.clock, command)
        await move_test_clock(tx, test_clock.id, to)

    made = (await desk.reserve(customer, "20")).reservation
    assert made.created_at.ToDatetime(to.tzinfo) == to
    assert (await desk.get(first)).status == EXPIRED


@pytest.mark.spec("ENT-9", "AUD-2")
async def test_repeated_by_key__holds_once_and_answers_the_same(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()

    got = await asyncio.gather(
        *[one.reserve(customer, "15", key="again") for one in (desk, other_desk, desk)]
    )

    assert got[0] == got[1] == got[2]
    with pytest.raises(IdempotencyMismatchError):
        await desk.reserve(customer, "16", key="again")


@pytest.mark.spec("ENT-9")
async def test_released_twice__stays_released_and_frees_once(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    first = (await desk.reserve(customer, "20")).reservation
    got = [await desk.release(first), await desk.release(first)]
    await desk.reserve(customer, "20")

    assert got[0] == got[1]
    with pytest.raises(ReservationSettledError, match="released"):
        await desk.commit(first)


@pytest.mark.spec("ENT-9", "ENT-7")
async def test_limit_of_each_user__holds_for_each_alone(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    ada, bob = await desk.shop.add_user(customer), await desk.shop.add_user(customer)
    mine = (await desk.reserve(ada, "20", "seconds")).reservation

    await desk.reserve(bob, "20", "seconds")
    with pytest.raises(LimitReachedError):
        await desk.reserve(ada, "1", "seconds")

    assert mine.user_id == ada.id
    await desk.commit(mine, "7")
    assert (await desk.used(ada, "seconds"), await desk.used(bob, "seconds")) == (7, 0)


@pytest.mark.spec("ENT-9", "ENT-2")
async def test_what_cannot_be_reserved__is_refused_with_the_reason(desk: Desk) -> None:
    customer = await desk.shop.sign_up()
    call = pb.ReserveRequest(idempotency_key="k", feature="tokens", quantity="1")
    call.customer_id = new_id("cus")

    with pytest.raises(CustomerNotFoundError):
        await desk.call("Reserve", call)
    with pytest.raises(FeatureNotFoundError):
        await desk.reserve(customer, "1", "no-such-thing")
    for feature in ("reports", "peak"):
        with pytest.raises(NotReservableError):
            await desk.reserve(customer, "1", feature)
    with pytest.raises(InvalidInput, match="whole number"):
        await desk.reserve(customer, "1.5", "calls")
    with pytest.raises(InvalidInput, match="above 0"):
        await desk.reserve(customer, "0")
    for hold_s in (0, 86_401):
        with pytest.raises(InvalidInput, match="hold: must be 1 second to 24 hours"):
            await desk.reserve(customer, "1", hold_s=hold_s)
    with pytest.raises(InvalidInput, match="one of the four ids"):
        await desk.call("Reserve", pb.ReserveRequest(feature="tokens", quantity="1"))


@pytest.mark.spec("ENT-9")
async def test_unknown_id_and_foreign_merchants__are_not_found(
    desk: Desk, events: EventStore, redis_url: str
) -> None:
    shop = desk.shop
    mine = (await desk.reserve(await shop.sign_up(), "1")).reservation
    created = await create_merchant(
        shop.db, shop.clock, CreateMerchant(name="Other", mode=Mode.TEST)
    )
    unknown = reservation_pb2.Reservation(id=new_id("rsv"))

    async with open_desk(
        Shop(shop.db, shop.clock, created.merchant.id), events, redis_url
    ) as foreign:
        for asked, of in ((foreign, mine), (desk, unknown)):
            for act in (asked.get, asked.commit, asked.release):
                with pytest.raises(ReservationNotFoundError):
                    await act(of)
    with pytest.raises(InvalidInput, match="rsv_"):
        await desk.get(reservation_pb2.Reservation(id=new_id("cus")))

    assert (await desk.get(mine)).status == HELD
