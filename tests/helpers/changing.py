"""Changes of subscriptions inside the process, as the servicer and the worker make them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2

from candela_server.billing.count_ended_before import count_ended_before
from candela_server.billing.model import Invoice
from candela_server.billing.preview_change import ChangePreview, preview_change
from candela_server.billing.run_changes import settle
from candela_server.catalog import read as catalog
from candela_server.catalog.create_plan import CreatedPlan, create_plan
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.catalog.price_wire import swapped_in_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.catalog.trial_ending import NewTrialEnding
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx
from candela_server.subscription import read, scheduled_store
from candela_server.subscription.change import (
    Change,
    Changed,
    ChangeSubscription,
    ComponentSwap,
    PlanChange,
    PriceOverride,
    QuantityChange,
    ScheduledChange,
)
from candela_server.subscription.change_subscription import change_subscription
from candela_server.subscription.create_subscription import (
    create_subscription,
)
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import (
    CollectionMethod,
    Proration,
    Subscription,
    SubscriptionId,
)
from candela_server.subscription.undo_cancellation import UndoCancellation, undo_cancellation

from tests.helpers.commands import taking
from tests.helpers.market import Market

NOW, PERIOD_END, AT = MoveTiming.NOW, MoveTiming.PERIOD_END, MoveTiming.AT


class _Undo(Exception):  # noqa: N818 - nothing went wrong
    """Rolls a preview back."""


@dataclass(slots=True)
class Desk:
    """Where a merchant's subscriptions are changed."""

    market: Market
    plans: dict[str, CreatedPlan] = field(default_factory=dict)

    async def sell(
        self,
        slug: str,
        *components: price_pb2.PriceComponent,
        discounts: tuple[price_terms_pb2.Discount, ...] = (),
        request: plan_service_pb2.CreatePlanRequest | None = None,
    ) -> CreatedPlan:
        """A plan with one price."""
        request = request or plan_service_pb2.CreatePlanRequest()
        request.slug, request.name = slug, slug
        request.prices.append(
            plan_pb2.NewPrice(currency="USD", components=components, discounts=discounts)
        )
        async with self.market.db.writing(self.market.merchant_id) as tx:
            made = await create_plan(tx, self.market.clock, create_plan_from_proto(request))
        self.plans[slug] = made
        return made

    async def take(
        self,
        slug: str,
        *,
        seats: int | None = None,
        customer: Customer | None = None,
        start_at: datetime | None = None,
        test_clock_id: TestClockId | None = None,
        collection_method: CollectionMethod = CollectionMethod.SEND_INVOICE,
        trial_ending: NewTrialEnding | None = None,
    ) -> Subscription:
        """A customer takes a plan now."""
        if customer is None:
            customer = await self.market.sign_up(test_clock_id=test_clock_id)
        async with self.market.db.writing(self.market.merchant_id) as tx:
            made = await create_subscription(
                tx,
                self.market.clock,
                taking(
                    customer.id,
                    slug,
                    seats=None if seats is None else Decimal(seats),
                    start_at=start_at,
                    collection_method=collection_method,
                    allow_duplicate=True,
                    trial_ending=trial_ending,
                ),
            )
            await count_ended_before(tx, self.market.events, made, now=made.created_at)
        return made

    async def change(
        self,
        held: Subscription,
        change: Change,
        timing: MoveTiming | None = None,
        proration: Proration | None = None,
        *,
        effective_at: datetime | None = None,
        expected_version: int | None = None,
    ) -> Changed:
        """Changes it, and bills that at once where it asks for it."""
        command = ChangeSubscription(
            subscription_id=held.id,
            change=change,
            timing=timing,
            effective_at=effective_at,
            proration=proration,
            expected_version=expected_version,
            reason="tests",
        )
        async with self.market.db.writing(self.market.merchant_id) as tx:
            changed = await change_subscription(tx, self.market.clock, command)
            await settle(tx, self.market.events, changed)
        return changed

    async def preview(
        self,
        held: Subscription,
        change: Change,
        timing: MoveTiming | None = None,
        proration: Proration | None = None,
        *,
        effective_at: datetime | None = None,
    ) -> ChangePreview:
        """What it would bill."""
        command = ChangeSubscription(
            subscription_id=held.id,
            change=change,
            timing=timing,
            effective_at=effective_at,
            proration=proration,
        )
        found: list[ChangePreview] = []
        try:
            async with self.market.db.writing(self.market.merchant_id) as tx:
                found.append(
                    await preview_change(tx, self.market.events, self.market.clock, command)
                )
                raise _Undo
        except _Undo:
            return found[0]

    async def undo_cancellation(self, held: Subscription) -> Subscription:
        """It goes on."""
        command = UndoCancellation(subscription_id=held.id, expected_version=None, reason="tests")
        async with self.market.db.writing(self.market.merchant_id) as tx:
            return (await undo_cancellation(tx, self.market.clock, command)).subscription

    async def now(self, held: Subscription, as_of: datetime | None = None) -> Subscription:
        """The subscription in force, or as it was."""
        async with self._reading() as tx:
            return await read.get_subscription(tx, held.id, as_of=as_of)

    async def history(self, held: Subscription) -> list[Subscription]:
        """All its versions."""
        async with self._reading() as tx:
            one = await read.get_subscription(tx, held.id)
            return (await read.list_histories(tx, [one]))[held.id]

    async def planned(self, held: Subscription) -> list[ScheduledChange]:
        """Its scheduled changes, whatever became of them."""
        async with self._reading() as tx:
            return await scheduled_store.page_scheduled(
                tx, SubscriptionId(held.id), include_ended=True, limit=100, after=None
            )

    async def component(self, held: Subscription, position: int = 0) -> ComponentId:
        """One of its components."""
        async with self._reading() as tx:
            current = await read.get_subscription(tx, held.id)
            price = await catalog.get_price(tx, current.version.price_id)
            return price.components[position].id

    async def texts(self) -> list[list[str]]:
        """What the lines of every invoice say."""
        return [[line.description for line in one.lines] for one in await self.invoices()]

    async def invoices(self) -> list[Invoice]:
        """All invoices, oldest first."""
        return await self.market.invoices()

    async def totals(self) -> list[Decimal]:
        """What every invoice comes to."""
        return [one.total for one in await self.invoices()]

    def _reading(self) -> AbstractAsyncContextManager[Tx]:
        return self.market.db.reading(self.market.merchant_id)


def to_plan(slug: str) -> PlanChange:
    """A move to a plan."""
    return PlanChange(plan=BySlug(slug), price_id=None, quantities={})


def to_price(price_id: str) -> PriceOverride:
    """Another price of the same plan."""
    return PriceOverride(price_id=PriceId(price_id))


def quantity(component_id: ComponentId, count: int) -> QuantityChange:
    """So many units of a component."""
    return QuantityChange(quantities={component_id: Decimal(count)})


def swap(component_id: ComponentId, coming: price_pb2.PriceComponent) -> ComponentSwap:
    """Another component in the place of one."""
    component, currency = swapped_in_from_proto(coming)
    return ComponentSwap(component_id=component_id, component=component, currency=currency)
