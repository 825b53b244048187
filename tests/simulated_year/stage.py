"""The same lives on Candela: clocks that tick daily, events through ingestion, and the invoices that come of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from candela.metering.v1 import event_pb2

from candela_server.billing import store
from candela_server.billing.model import Invoice
from candela_server.billing.update_tax_settings import UpdateTaxSettings, update_tax_settings
from candela_server.catalog.errors import PriceNotOfPlanError
from candela_server.customer.create_customer import CreateCustomer, create_customer
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Address, Customer, CustomerById
from candela_server.customer.update_customer import UpdateCustomer, update_customer
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.metering.model import Outcome
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.model import TransitionRefusedError
from candela_server.subscription.seat import AllSeatsHeldError, SeatsInUseError
from candela_server.worker.advance_test_clock import advance_test_clock, bill_test_clock

from .assortment import PRICES
from .days import BEGIN, PRICES_INCLUDE_TAX_SINCE
from .desk import Desk, user_of
from .happening import (
    AssignSeat,
    Change,
    Life,
    Operation,
    ReleaseSeat,
    Subscribe,
    UndoCancel,
    Use,
)
from .office import Office
from .taxes import NEXUS, RATES, SELLER, Buyer
from tests.helpers.taxes import settings
from tests.integration.metering.builders import Metering, event


@dataclass(slots=True, kw_only=True)
class Stage:
    """A merchant in test mode whose customers live on one clock."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    metering: Metering
    merchant_id: str
    desk: Desk
    office: Office
    clock_id: TestClockId | None = None
    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    refused: defaultdict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    keys: count[int] = field(default_factory=count)

    async def open(self) -> None:
        """Sells all plans."""
        for plan in PRICES:
            if plan.of is None:
                await self.desk.sell(plan, [one for one in PRICES if one.of is plan])
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
                for number in sorted(life.users):
                    await create_user(
                        tx,
                        self.clock,
                        CreateUser(
                            customer=CustomerById(self.customers[life.name].id),
                            external_id=user_of(life.name, number),
                            name="",
                            email=None,
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
            # What the worker does each minute: usage may reach a threshold.
            await bill_test_clock(self.db, self.events, self.merchant_id, self.clock_id)

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
        """All invoices by subscription's name, oldest first; those of packs by "pack:" and it, or "top-up:"."""
        names = {one_id: name for name, one_id in self.subscriptions.items()}
        packs = {one_id: f"pack:{name}" for name, one_id in self.office.packs.items()}
        topped_up = self.office.topped_up
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
                elif one.customer_id in topped_up:
                    found[f"top-up:{topped_up[one.customer_id]}"].append(one)
            if len(page) < 1000:
                return found
            after = (page[-1].created_at, page[-1].id)

    async def _act(self, life: Life, one: Operation) -> bool:
        """Does it; answers whether it could be done."""
        held = self.subscriptions.get(one.subscription, "")
        try:
            match one:
                case Subscribe():
                    await self._subscribe(life, one)
                case AssignSeat() | ReleaseSeat():
                    await self.desk.hold(one, held)
                case UndoCancel():
                    await self.desk.undo(held)
                case Change():
                    return await self.desk.change(one, held)
                case _:
                    plan = next(
                        each.plan
                        for each in life.of(one.subscription)
                        if isinstance(each, Subscribe)
                    )
                    customer = self.customers[life.name]
                    return await self.office.act(one, customer, held, plan)
        except (
            TransitionRefusedError,
            PriceNotOfPlanError,
            AllSeatsHeldError,
            SeatsInUseError,
        ):
            return False
        return True

    async def _subscribe(self, life: Life, one: Subscribe) -> None:
        customer = self.customers[life.name]
        self.subscriptions[one.subscription] = await self.desk.subscribe(one, customer)

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
