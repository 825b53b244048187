"""The same lives on Candela: clocks that tick daily, events through ingestion, and the invoices that come of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count

from candela.metering.v1 import event_pb2

from candela_server.billing import store
from candela_server.billing.model import Invoice
from candela_server.billing.run_changes import settle
from candela_server.billing.update_tax_settings import UpdateTaxSettings, update_tax_settings
from candela_server.catalog import read as catalog
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import CreateCustomer, create_customer
from candela_server.customer.model import Address, Customer, CustomerById
from candela_server.customer.update_customer import UpdateCustomer, update_customer
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.metering.model import Outcome
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import change
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
    TransitionRefusedError,
)
from candela_server.subscription.read import get_subscription
from candela_server.subscription.undo_cancellation import UndoCancellation, undo_cancellation
from candela_server.worker.advance_test_clock import advance_test_clock, bill_test_clock

from .happening import (
    Cancel,
    Change,
    ChangePlan,
    ChangeSeats,
    Life,
    Operation,
    Pause,
    Reactivate,
    Resume,
    Subscribe,
    UndoCancel,
    Use,
)
from .lifecycle import BEGIN, PRICES_INCLUDE_TAX_SINCE
from .office import Office
from .selling import plan_request
from .sold import PLANS
from .taxes import NEXUS, RATES, SELLER, Buyer
from tests.helpers.taxes import settings
from tests.integration.metering.builders import Metering, event


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


@dataclass(slots=True, kw_only=True)
class Stage:
    """A merchant in test mode whose customers live on one clock."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    metering: Metering
    merchant_id: str
    office: Office
    clock_id: TestClockId | None = None
    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    refused: defaultdict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    keys: count[int] = field(default_factory=count)

    async def open(self) -> None:
        """Sells all plans."""
        for plan in PLANS:
            async with self.db.writing(self.merchant_id) as tx:
                await create_plan(tx, self.clock, create_plan_from_proto(plan_request(plan)))
        await self._tax(inclusive=False)

    async def gather(self, lives: Sequence[Life]) -> None:
        """Puts customers on a clock of their own."""
        self.clock.advance(BEGIN)
        async with self.db.writing(self.merchant_id) as tx:
            made = await create_test_clock(
                tx, self.clock, CreateTestClock(now_at=BEGIN, name="year")
            )
            self.clock_id = made.id
            for life in lives:
                self.customers[life.name] = await create_customer(
                    tx,
                    self.clock,
                    CreateCustomer(
                        name=life.name,
                        external_id=life.name,
                        email=None,
                        business_name=life.buyers[0][1].business_name or None,
                        tax_id=life.buyers[0][1].tax_id or None,
                        address=_address(life.buyers[0][1]),
                        time_zone=life.time_zone,
                        metadata={},
                        test_clock_id=made.id,
                    ),
                )

    async def tick(self, now: datetime, lives: Sequence[Life]) -> None:
        """Moves the clock to an instant, with all that falls due on the way; then the customers act."""
        assert self.clock_id is not None
        self.clock.advance(now)
        if now > BEGIN:
            async with self.db.writing(self.merchant_id) as tx:
                await send_off(
                    tx, self.clock, AdvanceTestClock(test_clock_id=self.clock_id, target_at=now)
                )
            await advance_test_clock(self.db, self.events, self.merchant_id, self.clock_id)
        sent: list[event_pb2.Event] = []
        acted = False
        for life in lives:
            for one in life.operations:
                if one.at != now:
                    continue
                if isinstance(one, Use):
                    sent.append(self._event(life, one))
                    continue
                acted = True
                if not await self._act(life, one):
                    self.refused[life.name].append(one)
        if acted:
            # What the worker does as soon as it is told; events come after.
            await bill_test_clock(self.db, self.events, self.merchant_id, self.clock_id)
        for life in lives:
            for since, buyer in life.buyers[1:]:
                if since == now:
                    await self._move(life, buyer)
        if now == PRICES_INCLUDE_TAX_SINCE:
            await self._tax(inclusive=True)
        if sent:
            recorded = await self.metering.ingestor.record(self.merchant_id, sent)
            assert set(recorded.outcomes) == {Outcome.ACCEPTED}, recorded.rejections

    async def _tax(self, *, inclusive: bool) -> None:
        made = settings(seller=SELLER, rates=RATES, nexus=NEXUS, inclusive=inclusive)
        async with self.db.writing(self.merchant_id) as tx:
            await update_tax_settings(tx, UpdateTaxSettings(settings=made, expected_version=None))

    async def _move(self, life: Life, buyer: Buyer) -> None:
        async with self.db.writing(self.merchant_id) as tx:
            await update_customer(
                tx,
                self.clock,
                UpdateCustomer(
                    customer=CustomerById(self.customers[life.name].id),
                    name=None,
                    external_id=None,
                    email=None,
                    business_name=buyer.business_name,
                    tax_id=buyer.tax_id,
                    address=_address(buyer),
                    time_zone=None,
                    metadata={},
                ),
            )

    async def invoices(self) -> dict[str, list[Invoice]]:
        """All invoices by subscription's name, oldest first; those of packs by "pack:" and it."""
        names = {one_id: name for name, one_id in self.subscriptions.items()}
        packs = {one_id: f"pack:{name}" for name, one_id in self.office.packs.items()}
        found: defaultdict[str, list[Invoice]] = defaultdict(list)
        after: tuple[datetime, str] | None = None
        while True:
            async with self.db.reading(self.merchant_id) as tx:
                page = await store.page_invoices(
                    tx, customer_id=None, subscription_id=None, statuses=[], limit=1000, after=after
                )
            for one in page:
                if one.subscription_id in names:
                    found[names[one.subscription_id]].append(one)
                elif one.id in packs:
                    found[packs[one.id]].append(one)
            if len(page) < 1000:
                return found
            after = (page[-1].created_at, page[-1].id)

    async def _act(self, life: Life, one: Operation) -> bool:
        """Does it; answers whether it could be done."""
        try:
            match one:
                case Subscribe():
                    await self._subscribe(life, one)
                case UndoCancel():
                    await self._undo(one)
                case Change():
                    return await self._change(one)
                case _:
                    plan = next(
                        each.plan
                        for each in life.of(one.subscription)
                        if isinstance(each, Subscribe)
                    )
                    customer = self.customers[life.name]
                    held = self.subscriptions[one.subscription]
                    return await self.office.act(one, customer, held, plan)
        except TransitionRefusedError:
            return False
        return True

    async def _undo(self, one: UndoCancel) -> None:
        async with self.db.writing(self.merchant_id) as tx:
            await undo_cancellation(
                tx,
                self.clock,
                UndoCancellation(
                    subscription_id=SubscriptionId(self.subscriptions[one.subscription]),
                    expected_version=None,
                    reason="",
                ),
            )

    async def _change(self, one: Change) -> bool:
        async with self.db.writing(self.merchant_id) as tx:
            held = await get_subscription(tx, SubscriptionId(self.subscriptions[one.subscription]))
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

    async def _subscribe(self, life: Life, one: Subscribe) -> None:
        async with self.db.writing(self.merchant_id) as tx:
            made = await create_subscription(
                tx,
                self.clock,
                CreateSubscription(
                    customer=CustomerById(self.customers[life.name].id),
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
        self.subscriptions[one.subscription] = made.id

    def _event(self, life: Life, one: Use) -> event_pb2.Event:
        return event(
            f"{life.name}-{next(self.keys)}",
            self.customers[life.name],
            str(one.amount),
            name=f"used-{one.plan.slug}",
            at=one.happened_at,
        )


def _address(buyer: Buyer) -> Address | None:
    return Address(country=buyer.country, region=buyer.region) if buyer.country else None
