"""Users hold the seats that a subscription pays for; what is in use is not taken away (SEAT-4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.price import ComponentId
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import CustomerById, User, UserById, UserId, UserNotFoundError
from candela_server.subscription import seat_store
from candela_server.subscription.assign_seat import SeatOfUser, assign_seat, release_seat
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.seats_in_use import seats_in_use
from candela_server.subscription.seat import AllSeatsHeldError, Seat, SeatId, SeatsInUseError

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.market import Market
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026; "team" is 10.00 a seat and month, "club" 20.00."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("team", seats("10"))
    await made.sell("club", seats("20"))
    return made


async def user_of(desk: Desk, held: Subscription, name: str = "Ada") -> User:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await create_user(
            tx,
            desk.market.clock,
            CreateUser(
                customer=CustomerById(held.customer_id), external_id=None, name=name, email=None
            ),
        )


async def assign(desk: Desk, held: Subscription, user: User) -> Seat:
    command = SeatOfUser(subscription_id=held.id, component_id=None, user=UserById(user.id))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await assign_seat(tx, desk.market.clock, command)


async def release(desk: Desk, held: Subscription, user: User) -> Seat | None:
    command = SeatOfUser(subscription_id=held.id, component_id=None, user=UserById(user.id))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await release_seat(tx, desk.market.clock, command)


async def holders(desk: Desk, held: Subscription) -> list[UserId]:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return [one.user_id for one in await seat_store.list_seats(tx, held.id)]


@pytest.mark.spec("SEAT-4")
async def test_hundred_users_at_once_for_ten_seats__exactly_ten_get_one(desk: Desk) -> None:
    held = await desk.take("team", seats=10)
    users = [await user_of(desk, held, f"user {index}") for index in range(100)]

    outcomes = await asyncio.gather(
        *(assign(desk, held, user) for user in users), return_exceptions=True
    )

    assert sum(isinstance(one, Seat) for one in outcomes) == 10
    assert sum(isinstance(one, AllSeatsHeldError) for one in outcomes) == 90
    assert len(await holders(desk, held)) == 10


@pytest.mark.spec("SEAT-4")
async def test_user_who_holds_a_seat__keeps_that_one(desk: Desk) -> None:
    held = await desk.take("team", seats=2)
    ada = await user_of(desk, held)

    assert await assign(desk, held, ada) == await assign(desk, held, ada)
    assert await release(desk, held, ada) is not None
    assert await release(desk, held, ada) is None


@pytest.mark.spec("SEAT-4")
async def test_user_of_another_customer__is_unknown_here(desk: Desk) -> None:
    held, other = await desk.take("team", seats=2), await desk.take("team", seats=2)
    with pytest.raises(UserNotFoundError):
        await assign(desk, held, await user_of(desk, other))


@pytest.mark.spec("SEAT-4")
async def test_removal_below_the_seats_in_use__is_refused_with_who_holds_them(desk: Desk) -> None:
    held = await desk.take("team", seats=3)
    users = [await user_of(desk, held, name) for name in ("Ada", "Grace", "Joan")]
    for user in users:
        await assign(desk, held, user)
    component = await desk.component(held)

    with pytest.raises(SeatsInUseError) as caught:
        await desk.change(held, quantity(component, 2))
    assert caught.value.metadata["users"] == ", ".join(one.id for one in users)
    assert caught.value.metadata["seats"] == "3"
    assert (await desk.now(held)).version.quantities == {component: D(3)}


@pytest.mark.spec("SEAT-4")
async def test_seat_used_in_the_period__can_be_removed_at_its_end_only(desk: Desk) -> None:
    held = await desk.take("team", seats=2)
    ada, grace = await user_of(desk, held, "Ada"), await user_of(desk, held, "Grace")
    await assign(desk, held, ada)
    await assign(desk, held, grace)
    component = await desk.component(held)
    desk.market.clock.advance(day(4, 10))
    await release(desk, held, grace)

    with pytest.raises(SeatsInUseError):
        await desk.change(held, quantity(component, 1), NOW)
    await desk.change(held, quantity(component, 1))
    await desk.market.bill(day(4, 10))
    await desk.market.bill(day(5, 1))

    assert (await desk.now(held)).version.quantities == {component: D(1)}
    assert await desk.totals() == [D("20.00"), D("10.00")]


@pytest.mark.spec("SEAT-4")
async def test_seats_taken_after_a_removal_was_planned__make_it_fail(desk: Desk) -> None:
    held = await desk.take("team", seats=2)
    component = await desk.component(held)
    await desk.change(held, quantity(component, 1))
    for name in ("Ada", "Grace"):
        await assign(desk, held, await user_of(desk, held, name))
    await desk.market.bill(day(4, 1))
    await desk.market.bill(day(5, 1))

    [planned] = await desk.planned(held)
    assert "ERROR_REASON_SEATS_IN_USE" in planned.outcome
    assert (await desk.now(held)).version.quantities == {component: D(2)}


@pytest.mark.spec("SEAT-4", "SUB-6")
async def test_holders__follow_to_another_plan_and_are_free_when_it_ends(desk: Desk) -> None:
    held = await desk.take("team", seats=2)
    ada = await user_of(desk, held)
    await assign(desk, held, ada)

    await desk.change(held, to_plan("club"))
    assert await holders(desk, held) == [ada.id]
    assert (await assign(desk, held, ada)).component_id == await desk.component(held)
    await desk.change(held, Cancellation(), NOW)
    assert await holders(desk, held) == []


@pytest.mark.spec("SEAT-4")
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20) | st.none()), max_size=12).map(
        lambda drawn: [(a, b if b is None else a + b) for a, b in drawn]
    )
)
def test_law_seats_in_use__are_the_most_that_overlap(
    spans: list[tuple[int, int | None]],
) -> None:
    def at(hour: int) -> datetime:
        return datetime.fromtimestamp(hour * 3600, UTC)

    held = [
        Seat(
            id=SeatId(f"seat_{index}"),
            subscription_id=SubscriptionId("sub_1"),
            component_id=ComponentId("comp_1"),
            user_id=UserId(f"usr_{index}"),
            assigned_at=at(since),
            released_at=None if until is None else at(until),
        )
        for index, (since, until) in enumerate(spans)
        if until is None or until > since
    ]
    most = max(
        (
            sum(
                one.assigned_at <= at(hour)
                and (one.released_at is None or at(hour) < one.released_at)
                for one in held
            )
            for hour in range(45)
        ),
        default=0,
    )

    assert seats_in_use(held) == most
