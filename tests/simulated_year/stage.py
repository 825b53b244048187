"""The same lives on Candela: clocks that tick daily, events through ingestion, and the invoices that come of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count

from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.metering.v1 import event_pb2
from candela.type.v1 import money_pb2

from candela_server.billing import store
from candela_server.billing.model import Invoice
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import CreateCustomer, create_customer
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as send_off
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.metering.model import Outcome
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.create_subscription import (
    CreateSubscription,
    create_subscription,
)
from candela_server.subscription.model import CollectionMethod
from candela_server.worker.advance_test_clock import advance_test_clock

from .lifecycle import BEGIN, Life, Subscribe, Use
from .sold import PLANS, Part, Sold
from tests.integration.metering.builders import Metering, event

_KINDS = {
    "fixed": price_pb2.COMPONENT_KIND_FIXED,
    "seats": price_pb2.COMPONENT_KIND_PER_UNIT,
    "usage": price_pb2.COMPONENT_KIND_USAGE,
}
_RULES = {"week": "FREQ=WEEKLY", "month": "FREQ=MONTHLY", "year": "FREQ=YEARLY"}


@dataclass(slots=True, kw_only=True)
class Stage:
    """A merchant in test mode whose customers live on one clock."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    metering: Metering
    merchant_id: str
    clock_id: TestClockId | None = None
    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    keys: count[int] = field(default_factory=count)

    async def open(self) -> None:
        """Sells all plans."""
        for plan in PLANS:
            async with self.db.writing(self.merchant_id) as tx:
                await create_plan(tx, self.clock, create_plan_from_proto(_request(plan)))

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
                        business_name=None,
                        tax_id=None,
                        address=None,
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
        for life in lives:
            for one in life.operations:
                if one.at == now:
                    match one:
                        case Subscribe():
                            await self._subscribe(life, one)
                        case Use():
                            sent.append(self._event(life, one))
        if sent:
            recorded = await self.metering.ingestor.record(self.merchant_id, sent)
            assert set(recorded.outcomes) == {Outcome.ACCEPTED}, recorded.rejections

    async def invoices(self) -> dict[str, list[Invoice]]:
        """All invoices by subscription's name, oldest first."""
        names = {one_id: name for name, one_id in self.subscriptions.items()}
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
            if len(page) < 1000:
                return found
            after = (page[-1].created_at, page[-1].id)

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
        slug = one.subscription.partition(":")[2]
        return event(
            f"{life.name}-{next(self.keys)}",
            self.customers[life.name],
            str(one.amount),
            name=f"used-{slug}",
            at=one.happened_at,
        )


def _request(plan: Sold) -> plan_service_pb2.CreatePlanRequest:
    def money(amount: object) -> money_pb2.Money:
        return money_pb2.Money(currency=plan.currency, amount=str(amount))

    price = plan_pb2.NewPrice(
        currency=plan.currency, components=[_component(plan, part) for part in plan.parts]
    )
    if plan.commitment is not None:
        price.minimum_commitment.amount.CopyFrom(money(plan.commitment))
        price.minimum_commitment.recurrence_rule = _RULES["month"]
    request = plan_service_pb2.CreatePlanRequest(slug=plan.slug, name=plan.slug, prices=[price])
    if plan.usage is not None:
        metric = f"used-{plan.slug}"
        request.metrics.append(
            metric_pb2.NewMetric(
                slug=metric,
                name=metric,
                aggregation=metric_pb2.AGGREGATION_SUM,
                event_names=[metric],
            )
        )
        request.features.append(
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug=metric,
                    name=metric,
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug=metric),
                )
            )
        )
        if plan.credits is not None:
            request.credit_definitions.append(
                credit_definition_pb2.NewCreditDefinition(
                    name="Included",
                    scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                    application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                    feature=metric,
                    default_amount=plan.credits,
                    renew_on_billing=True,
                    billing_visible=True,
                    basis=credit_definition_pb2.CREDIT_BASIS_SEAT
                    if plan.credits_per_seat
                    else credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
                )
            )
    return request


def _component(plan: Sold, part: Part) -> price_pb2.PriceComponent:
    def money(amount: object) -> money_pb2.Money:
        return money_pb2.Money(currency=plan.currency, amount=str(amount))

    def tiers() -> list[price_terms_pb2.Tier]:
        made = []
        for up_to, unit_price, flat_fee in part.terms:  # type: ignore[misc]
            tier = price_terms_pb2.Tier(unit_price=money(unit_price), flat_fee=money(flat_fee))
            if up_to is not None:
                tier.up_to = up_to
            made.append(tier)
        return made

    charge = price_terms_pb2.ChargeModel(free_units=part.free_units)
    match part.model:
        case "flat":
            charge.flat.unit_price.CopyFrom(money(part.terms[0]))
        case "graduated":
            charge.graduated.tiers.extend(tiers())
        case "volume":
            charge.volume.tiers.extend(tiers())
        case "package":
            charge.package.package_size = str(part.terms[0])
            charge.package.package_price.CopyFrom(money(part.terms[1]))
        case "percent":
            charge.percentage.percent = str(part.terms[0])
    if part.minimum is not None:
        charge.minimum.CopyFrom(money(part.minimum))
    if part.maximum is not None:
        charge.maximum.CopyFrom(money(part.maximum))
    made = price_pb2.PriceComponent(
        name=part.name,
        kind=_KINDS[part.kind],
        recurrence_rule=_RULES[part.every],
        timing=price_pb2.BILLING_TIMING_IN_ARREARS
        if part.arrears
        else price_pb2.BILLING_TIMING_IN_ADVANCE,
        charge=charge,
    )
    if part.kind == "usage":
        made.metric = f"used-{plan.slug}"
    if part.kind == "seats":
        made.seats.minimum_seats = part.minimum_seats
        made.seats.included_seats = part.included_seats
    if part.percent_off is not None:
        made.discounts.append(
            price_terms_pb2.Discount(
                percent=part.percent_off,
                duration=price_terms_pb2.DISCOUNT_DURATION_REPEATING,
                period_count=part.off_periods,
            )
        )
    return made
