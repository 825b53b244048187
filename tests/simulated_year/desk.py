"""How Candela is asked for subscriptions and their changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from candela_server.billing.run_changes import settle
from candela_server.catalog import read as catalog
from candela_server.catalog.add_price import add_price
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.price import PriceId
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer, CustomerById, UserByExternalId
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import change
from candela_server.subscription.assign_seat import SeatOfUser, assign_seat, release_seat
from candela_server.subscription.change import ChangeSubscription
from candela_server.subscription.change_subscription import change_subscription
from candela_server.subscription.create_subscription import (
    CreateSubscription,
    create_subscription,
)
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import (
    CollectionMethod,
    Proration,
    Subscription,
    SubscriptionId,
)
from candela_server.subscription.read import get_subscription
from candela_server.subscription.undo_cancellation import UndoCancellation, undo_cancellation

from .happening import (
    AssignSeat,
    Cancel,
    Change,
    ChangePlan,
    ChangeSeats,
    OverridePrice,
    Pause,
    Reactivate,
    ReleaseSeat,
    Resume,
    Subscribe,
)
from .selling import new_price, plan_request
from .sold import Sold

_TIMINGS = {
    "now": MoveTiming.NOW,
    "period end": MoveTiming.PERIOD_END,
    "at": MoveTiming.AT,
}
_PRORATIONS = {
    "next invoice": Proration.NEXT_INVOICE,
    "invoice now": Proration.INVOICE_NOW,
    "none": Proration.NONE,
}


def user_of(customer: str, number: int) -> str:
    """The external id of a customer's user."""
    return f"{customer}-user-{number}"


@dataclass(slots=True, kw_only=True)
class Desk:
    """Where a merchant's customers ask for what they want."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    merchant_id: str
    prices: dict[str, PriceId] = field(default_factory=dict)
    """Of everything that is sold, by slug; a plan is taken at the one on sale, which was added last (CAT-5)."""

    async def sell(self, plan: Sold, before: Sequence[Sold]) -> None:
        """Puts a plan on sale; what it was sold for before stays for those who agree on it."""
        first, *others = [*before, plan]
        async with self.db.writing(self.merchant_id) as tx:
            request = create_plan_from_proto(plan_request(plan, first))
            prices = [*(await create_plan(tx, self.clock, request)).prices]
            for one in others:
                new = price_from_proto(new_price(one))
                prices.append((await add_price(tx, self.clock, BySlug(plan.slug), new))[0])
        for one, price in zip([first, *others], prices, strict=True):
            self.prices[one.slug] = price.id

    async def subscribe(self, one: Subscribe, customer: Customer) -> str:
        """Takes a plan; answers with the subscription's id."""
        async with self.db.writing(self.merchant_id) as tx:
            made = await create_subscription(
                tx,
                self.clock,
                CreateSubscription(
                    customer=CustomerById(customer.id),
                    plan=BySlug(one.plan.slug),
                    price_id=None,
                    currency=None,
                    seats=Decimal(one.seats) if one.plan.has_seats else None,
                    quantities={},
                    start_at=one.start_at,
                    time_zone=None,
                    collection_method=CollectionMethod.SEND_INVOICE,
                    allow_duplicate=False,
                    metadata={},
                    reason="",
                ),
            )
        return made.id

    async def hold(self, one: AssignSeat | ReleaseSeat, subscription_id: str) -> None:
        """Gives a user a seat, or takes it back."""
        name, _ = one.subscription.split(":")
        seat = SeatOfUser(
            subscription_id=SubscriptionId(subscription_id),
            component_id=None,
            user=UserByExternalId(user_of(name, one.user)),
        )
        act = assign_seat if isinstance(one, AssignSeat) else release_seat
        async with self.db.writing(self.merchant_id) as tx:
            await act(tx, self.clock, seat)

    async def undo(self, subscription_id: str) -> None:
        """Calls an end off."""
        async with self.db.writing(self.merchant_id) as tx:
            await undo_cancellation(
                tx,
                self.clock,
                UndoCancellation(
                    subscription_id=SubscriptionId(subscription_id),
                    expected_version=None,
                    reason="",
                ),
            )

    async def change(self, one: Change, subscription_id: str) -> bool:
        """Changes it; answers False where there is nothing to change."""
        async with self.db.writing(self.merchant_id) as tx:
            held = await get_subscription(tx, SubscriptionId(subscription_id))
            wanted = await self._wanted(tx, held, one)
            if wanted is None:
                return False
            changed = await change_subscription(
                tx,
                self.clock,
                ChangeSubscription(
                    subscription_id=held.id,
                    change=wanted,
                    timing=None if one.when is None else _TIMINGS[one.when],
                    effective_at=one.effective_at,
                    proration=None if one.proration is None else _PRORATIONS[one.proration],
                    reason="a simulated year",
                ),
            )
            await settle(tx, self.events, changed)
        return True

    async def _wanted(self, tx: Tx, held: Subscription, one: Change) -> change.Change | None:
        match one:
            case ChangePlan():
                return change.PlanChange(plan=BySlug(one.plan.slug), price_id=None, quantities={})
            case OverridePrice():
                return change.PriceOverride(price_id=self.prices[one.price.slug])
            case ChangeSeats():
                price = await catalog.get_price(tx, held.version.price_id)
                seats = [each.id for each in price.components if each.seats is not None]
                if not seats:
                    return None
                return change.QuantityChange(quantities={seats[0]: Decimal(one.seats)})
            case Pause():
                return change.Pause(resume_at=one.resume_at)
            case Resume():
                return change.Resume()
            case Cancel():
                return change.Cancellation()
            case Reactivate():
                return change.Reactivation(price_id=None)
        raise AssertionError(f"nobody can do {one}")
